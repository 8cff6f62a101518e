"""The colours of the pages: Okabe and Ito's hues, each once for a light and once for a dark page.

The colour-blind can tell them apart: a test holds their distances as people without red, green or blue cones see them,
and the contrast with the page, 3 to 1 or more (WCAG 2.2, 1.4.11), which Okabe and Ito's own do not reach.
"""

from collections.abc import Sequence
from typing import TypeVar

BLUE, ORANGE, GREEN, PINK, SKY, RED = "#084D8A", "#C77F0C", "#18805A", "#BA4C89", "#4C90D5", "#C05022"
NEUTRAL = "#788FB5"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED)
_DARK = ("#206FC6", "#EBAC41", "#12A764", "#EEA7D6", "#46B2F5", "#E45D0B", "#9C9494")
# Dark to light, for the values of more prune rates or shapes than there are hues (matplotlib's plasma).
_STOPS = ("#0D0887", "#46039F", "#7201A8", "#9C179E", "#BD3786", "#D8576B")
_STOPS_ON_DARK = ("#BD3786", "#D8576B", "#ED7953", "#FB9F3A", "#FDCA26", "#F0F921")
N_STEPS = 12

SURFACES = {
    "page": ("#ffffff", "#14171a"),
    "panel": ("#f7f8f9", "#1b1f24"),
    "ink": ("#1a1d21", "#e8eaed"),
    "soft": ("#59626d", "#a3acb7"),
    "line": ("#dde1e6", "#333a42"),
    "edge": ("#858d96", "#6f7984"),
    "accent": ("#0067a3", "#56b4e9"),
    "warn": ("#b34700", "#f0a068"),
    "warn-page": ("#fff4ec", "#2c211a"),
}
"""What the style sheets call a colour -> it on a light and on a dark page."""
THEMES = ("light", "dark")
# What figures are seen on.
PAGES = {
    theme: tuple(SURFACES[name][i].upper() for name in ("page", "panel")) for i, theme in enumerate(THEMES)
}

Value = TypeVar("Value", int, float)


def _steps(stops: Sequence[str]) -> tuple[str, ...]:
    def at(place: float) -> str:
        i = min(int(place), len(stops) - 2)
        ends = [[int(stop[k : k + 2], 16) for k in (1, 3, 5)] for stop in stops[i : i + 2]]
        parts = (round(a + (b - a) * (place - i)) for a, b in zip(*ends, strict=True))
        return "#" + "".join(f"{part:02X}" for part in parts)

    return tuple(at(i * (len(stops) - 1) / (N_STEPS - 1)) for i in range(N_STEPS))


RAMP = _steps(_STOPS)
PAGE = PAGES["light"][0]
ON_DARK = dict(zip((*CYCLE, NEUTRAL, *RAMP), (*_DARK, *_steps(_STOPS_ON_DARK)), strict=True))
ON_DARK |= {PAGE: PAGES["dark"][0]}
"""The colour on a dark page of each colour on a light one."""


def colours(values: Sequence[Value]) -> dict[Value, str]:
    """A colour for each distinct value: hues for a few, for more an ordered ramp on which neighbours may share one."""
    ordered = sorted(set(values))
    if len(ordered) <= len(CYCLE):
        return dict(zip(ordered, CYCLE, strict=False))
    last = len(ordered) - 1
    return {value: RAMP[round(i * (N_STEPS - 1) / last)] for i, value in enumerate(ordered)}


def css(colour: str) -> str:
    """The colour as CSS that follows the page's theme."""
    return f"var(--c{colour[1:]},{colour})" if colour in ON_DARK else colour


def themed(style: str) -> str:
    """The style sheet behind the colours of both themes.

    A page is dark where the system is, unless its reader chose (data-theme), and never on paper.
    """
    light, dark = (f"color-scheme: {theme}; {css_variables(theme)}" for theme in THEMES)
    return (
        f":root {{ {light} }}\n@media screen {{\n:root[data-theme=dark]:not(.paper) {{ {dark} }}\n}}\n"
        "@media screen and (prefers-color-scheme: dark) {\n"
        f":root:not([data-theme=light], .paper) {{ {dark} }}\n}}\n{style}"
    )


def css_variables(theme: str) -> str:
    """Declarations of `SURFACES` and of what `css` refers to."""
    drawn = {f"c{light[1:]}": (light, dark) for light, dark in ON_DARK.items()}
    pairs = SURFACES | drawn
    return " ".join(f"--{name}: {pair[THEMES.index(theme)]};" for name, pair in pairs.items())
