"""hubel's version, for the package, its files and its bundles."""

__version__ = "0.1.0"
