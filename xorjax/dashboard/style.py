"""The style sheet of the page, with the colours of the report's figures."""

from xorjax.results.palette import CYCLE, NEUTRAL, RAMP, css, css_variables


def with_colours(style: str) -> str:
    """The style sheet with the colours of each theme where it says so, under the names that the scripts read."""
    names = {f"plot-{i}": colour for i, colour in enumerate(CYCLE)}
    names |= {f"ramp-{i}": colour for i, colour in enumerate(RAMP)}
    names["neutral"] = NEUTRAL
    drawn = " ".join(f"--{name}: {css(colour)};" for name, colour in names.items())
    for theme in ("light", "dark"):
        style = style.replace(f"/* {theme} */", css_variables(theme) + " " + drawn)
    return style
