"""What holds for all figures of the pages, and what some of them leave out."""

import random
from pathlib import Path

import pytest
from synthetic import make_config, make_point, make_row, sweep, write_metrics, write_report
from test_palette import contrast
from test_report import Page

from xorjax.results.compare import compare
from xorjax.results.compare_page import write_comparison
from xorjax.results.mask_figures import log_axis
from xorjax.results.page import resource
from xorjax.results.palette import NEUTRAL, ON_DARK, PAGES, themed
from xorjax.results.report import build_report


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[Page]:
    """A report of exact masks, one of approximate ones, and a comparison."""
    runs = tmp_path_factory.mktemp("runs")
    exact = write_report(runs / "a", sweep(runs / "a", n_ins=(12, 20), n_seeds=2))
    codecs = ("ans", "lowrank")
    other = write_report(runs / "b", sweep(runs / "b", n_ins=(20,), fills=(0.8,), mask_codecs=codecs))
    write_comparison(compare(exact, other), runs / "page.html")
    return [*(Page(build_report(path)) for path in (exact, other)), Page(runs / "page.html")]


def test_a_finger_on_a_figure_scrolls_the_page(pages):
    for page in pages:
        for figure in page.figures:
            layout = figure["layout"]
            assert layout["dragmode"] is False
            assert layout["xaxis"]["fixedrange"]
            assert layout["yaxis"]["fixedrange"]


@pytest.mark.parametrize("theme", PAGES)
def test_every_mark_stands_out_as_it_is_drawn(pages, theme):
    """With what shows through it."""
    drawn = set()
    for page in pages:
        for trace in (trace for figure in page.figures for trace in figure["data"]):
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


def test_the_check_finds_what_shows_through():
    assert contrast(composed("#C77F0C", "#FFFFFF", 0.85), "#FFFFFF") < 3


def test_stacked_bars_have_gaps_of_the_pages_colour(pages):
    bars = [trace for trace in pages[0].figures[0]["data"] if trace["type"] == "bar"]
    assert all(bar["marker"]["line"] == {"width": 1, "color": PAGES["light"][0]} for bar in bars)
    assert ON_DARK[PAGES["light"][0]] == PAGES["dark"][0]


def test_figures_say_section_rate_and_axes_to_a_screen_reader(pages):
    labels = [
        str(a["aria-label"]) for tag, a in pages[0].elements if tag == "div" and a.get("class") == "plot"
    ]
    assert "Bits per weight, S = 0.9: bits per weight against n_out, grouped by n_in" in labels
    assert "Other codecs on the same weights, S = 0.95: bits per weight" in labels
    assert len(set(labels)) == len(labels)


def test_exact_masks_alone_have_one_figure_and_the_table(pages):
    exact, approximate, _ = pages
    (figure,) = [f for f in exact.figures if f["layout"]["yaxis"]["title"]["text"] == "index bits per weight"]
    marks = {trace["name"]: trace for trace in figure["data"]}
    assert set(marks) == {"H(S)", "bitmap", "ans", "ans_rc", "csr5", "golomb"}
    assert marks["ans"]["x"] == [0.9, 0.95, 0.98]
    assert "Magnitude kept" not in exact.text
    assert "Magnitude kept" in approximate.text
    masks = exact.text[exact.text.index("Masks", exact.text.index("All rows")) :]
    assert "H(S)" in masks
    assert "0.469" in masks


def test_fronts_end_at_their_last_point_and_are_not_joined_over_test_accuracy(pages):
    validation, test = pages[2].figures
    for trace in validation["data"]:
        if trace["mode"] == "lines":
            dots = next(t for t in validation["data"] if t["name"] == trace["name"].removeprefix("front of "))
            assert set(trace["x"]) <= set(dots["x"])
            assert len(set(trace["x"])) == len(trace["x"])
    assert {trace["mode"] for trace in test["data"]} == {"markers"}
    assert [trace["marker"]["symbol"] for trace in test["data"]].count("circle-open") == 2


def test_levels_of_pruning_have_colours_of_their_own_while_there_are_enough(tmp_path):
    curves = []
    for rate in (0.5, 0.8, 0.95):
        metrics = write_metrics(tmp_path, f"prune/{rate}", 3, 0.9, 0.99, random.Random(0))
        curves.append({"stage": "prune", "title": f"prune, S = {rate:g}, seed 0", "metrics": metrics})
    page = Page(build_report(write_report(tmp_path, [make_point("a", [make_row()], curves=curves)])))
    lines = page.figures[-2]["data"]
    assert len({trace["line"]["color"] for trace in lines} - {NEUTRAL}) == 3
    assert "S = 0.8, a level on the way" in page.text


def test_smoothed_labels_are_said_of_the_training_loss(tmp_path):
    def text(name: str, amount: float) -> str:
        metrics = write_metrics(tmp_path / name, "dense/0", 3, 0.9, 0.99, random.Random(0))
        curves = [{"stage": "dense", "title": "seed 0", "metrics": metrics}]
        row = make_row(config=make_config(optim__label_smoothing=amount))
        return Page(build_report(write_report(tmp_path / name, [make_point("a", [row], curves=curves)]))).text

    assert "The training loss is that of labels smoothed by 0.05" in text("a", 0.05)
    assert "smoothed" not in text("b", 0.0)


def test_no_stylesheet_draws_a_border_of_an_input_too_faint():
    css = themed(resource("report.css"))
    edges = [line.split("--edge: ")[1][:7] for line in css.splitlines() if "--edge: " in line]
    assert len(edges) == 3
    for theme, edge in zip(("light", "dark", "dark"), edges, strict=True):
        assert min(contrast(edge.upper(), page) for page in PAGES[theme]) >= 3
    assert "border: 1px solid var(--edge)" in css
    assert "globalAlpha" not in (Path(__file__).parents[2] / "xorjax" / "results" / "pareto.js").read_text()


def test_a_model_of_which_nothing_is_pruned_has_a_report(tmp_path):
    rows = [make_row(prune_rate=0.0, n_kept=400_000), make_row(prune_rate=0.0, n_kept=400_000, n_in=12)]
    points = [make_point(f"p{i}", [row]) for i, row in enumerate(rows)]
    assert build_report(write_report(tmp_path, points)).exists()


@pytest.mark.parametrize(
    ("least", "most"), [(0.3, 0.7), (0.21, 0.29), (0.4, 1.2), (0.0012, 0.9), (0.05, 0.06), (0.1, 0.5)]
)
def test_a_logarithmic_axis_has_ticks_enough_to_read_it(least, most):
    ticks = log_axis(least, most)["tickvals"]
    assert 3 <= len(ticks) <= 12
    assert all(least <= tick <= most for tick in ticks)
