"""The colours of the page: text, borders and figures stand out from what is behind them in both themes."""

import re

import pytest

from xorjax.dashboard.server import PAGES, _page
from xorjax.results.palette import CYCLE, NEUTRAL, ON_DARK, RAMP

TEXT = ("ink", "soft", "accent", "warn", "run", "stop")
DRAWN = ("edge", "off", "neutral", *(f"plot-{i}" for i in range(6)), *(f"ramp-{i}" for i in range(12)))


def variables() -> dict[str, dict[str, str]]:
    """The style sheet's variables of each theme, as colours."""
    style = _page("/page.css").content.decode()
    themes = {}
    for block in re.findall(r"color-scheme: \w+;[^}]*", style):
        scheme = block.split()[1].strip(";")
        found = dict(re.findall(r"--([\w-]+): ([^;]+);", block))
        for name, value in found.items():
            if inner := re.fullmatch(r"var\(--(\w+),#\w+\)", value):
                found[name] = found[inner[1]]
        assert themes.setdefault(scheme, found) == found, "the two ways to a dark page differ"
    return themes


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_borders_stand_out_from_what_is_behind_them(theme):
    colours = variables()[theme]
    behind = [colours["page"], colours["panel"]]
    for names, least in ((TEXT, 4.5), (DRAWN, 3)):
        for name in names:
            assert min(contrast(colours[name], page) for page in behind) >= least, name
    for name in ("ink", "soft", "accent"):
        assert contrast(colours[name], colours["warn-page"]) >= 4.5, name


def test_figures_have_the_reports_colours():
    for theme, shown in (("light", str), ("dark", ON_DARK.get)):
        colours = variables()[theme]
        assert [colours[f"plot-{i}"] for i in range(6)] == [shown(colour) for colour in CYCLE]
        assert [colours[f"ramp-{i}"] for i in range(12)] == [shown(colour) for colour in RAMP]
        assert colours["neutral"] == shown(NEUTRAL)


def test_no_script_has_a_colour_of_its_own():
    for path, (package, _, _) in PAGES.items():
        if path.endswith(".js") and package == "xorjax.dashboard":
            assert not re.findall(r"#[0-9a-fA-F]{6}\b", _page(path).content.decode()), path
