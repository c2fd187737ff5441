"""What hubel's pages share: one style, and a file that opens anywhere, without a network."""

from __future__ import annotations

from typing import Any


def render_page(package: str, template: str, **values: Any) -> str:
    """Fill in a page's template.

    Args:
        package: The package whose `templates` folder has it; what all pages share is found there, too.
        template: The file's name.
        values: What the template needs; one that it misses is an error, and text is escaped.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("hubel.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
