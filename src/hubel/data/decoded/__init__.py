"""Pictures decoded once: shrunk, and kept in one file per split."""
