"""Numbers that are often printed loosely, and the right ones: `docs/numbers.md`, made by `hubel models numbers`.

The prose is in `page.md.j2`; every computed number in it comes out of the networks and formulas when the page is made.
"""

from __future__ import annotations


def page() -> str:
    """The page as Markdown; making it takes a few seconds.

    Raises:
        AssertionError: Something that the page states of the networks is not so.
    """
    import jinja2

    from hubel.models.numbers.values import cost, depth, network, values
    from hubel.models.published import HUMAN_TOP5_ERROR
    from hubel.models.registry import model_entry
    from hubel.nn import convolution_parameters, dense_parameters, output_size

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hubel.models.numbers", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["n"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda share, digits=0: f"{100 * share:.{digits}f} %"
    return environment.get_template("page.md.j2").render(
        values(),
        convolution_parameters=convolution_parameters,
        cost=cost,
        dense_parameters=dense_parameters,
        depth=depth,
        human=HUMAN_TOP5_ERROR,
        model_entry=model_entry,
        network=network,
        output_size=output_size,
    )
