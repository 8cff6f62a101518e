"""What holds for all figures of the pages."""

from pathlib import Path

import pytest
from pages import Page
from synthetic import sweep, write_report
from test_palette import contrast

from xorjax.results.compare import compare
from xorjax.results.compare_page import write_comparison
from xorjax.results.masks import log_axis
from xorjax.results.page import resource
from xorjax.results.palette import ON_DARK, PAGES, themed
from xorjax.results.report import build_report


@pytest.fixture(scope="module")
def figures(tmp_path_factory) -> list[dict]:
    """Of a report of exact masks, one of approximate ones, and a comparison."""
    runs = tmp_path_factory.mktemp("runs")
    exact = write_report(runs / "a", sweep(runs / "a", n_ins=(12, 20), n_seeds=2))
    codecs = ("ans", "lowrank")
    other = write_report(runs / "b", sweep(runs / "b", n_ins=(20,), fills=(0.8,), mask_codecs=codecs))
    write_comparison(compare(exact, other), runs / "page.html")
    paths: list[Path] = [build_report(exact), build_report(other), runs / "page.html"]
    return [figure for path in paths for figure in Page(path).figures.values()]


def test_a_finger_on_a_figure_scrolls_the_page(figures):
    for layout in (figure["layout"] for figure in figures):
        assert layout["dragmode"] is False
        assert layout["xaxis"]["fixedrange"]
        assert layout["yaxis"]["fixedrange"]


@pytest.mark.parametrize("theme", PAGES)
def test_every_mark_stands_out_as_it_is_drawn(figures, theme):
    """With what shows through it."""
    drawn = set()
    for trace in (trace for figure in figures for trace in figure["data"]):
        marker = trace.get("marker", {})
        colours = marker.get("color", [])
        opacity = marker.get("opacity", 1) * trace.get("opacity", 1)
        drawn |= {(colour, opacity) for colour in ([colours] if isinstance(colours, str) else colours)}
        drawn |= {(trace["line"]["color"], trace.get("opacity", 1))} if "line" in trace else set()
    assert len(drawn) > 6
    for colour, opacity in drawn:
        seen = colour if theme == "light" else ON_DARK[colour]
        for page in PAGES[theme]:
            assert contrast(composed(seen, page, opacity), page) >= 3


def composed(colour: str, page: str, opacity: float) -> str:
    parts = ([int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in (colour, page))
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02X}" for a, b in zip(*parts, strict=True))


def test_no_stylesheet_draws_a_border_of_an_input_too_faint():
    css = themed(resource("report.css"))
    edges = [line.split("--edge: ")[1][:7] for line in css.splitlines() if "--edge: " in line]
    for theme, edge in zip(("light", "dark", "dark"), edges, strict=True):
        assert min(contrast(edge.upper(), page) for page in PAGES[theme]) >= 3
    assert "border: 1px solid var(--edge)" in css


@pytest.mark.parametrize(
    ("least", "most"), [(0.3, 0.7), (0.21, 0.29), (0.4, 1.2), (0.0012, 0.9), (0.05, 0.06), (0.1, 0.5)]
)
def test_a_logarithmic_axis_has_ticks_enough_to_read_it(least, most):
    ticks = log_axis(least, most)["tickvals"]
    assert 3 <= len(ticks) <= 12
    assert all(least <= tick <= most for tick in ticks)
