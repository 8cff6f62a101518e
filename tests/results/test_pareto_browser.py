"""The report's main figure in a real browser: its range, its words, its zoom, and what it says of a choice."""

from pathlib import Path

import pytest
from synthetic import make_baseline, make_config, make_failure, make_point, make_row, sweep, write_report
from test_any_code import experiment
from test_report_browser import eventually

from xorjax.results.report import build_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    return build_report(write_report(runs, sweep(runs, methods=("minimum",))))


def place_of(page, point: str) -> list[float]:
    """Where a point is on the window, by an expression for its number."""
    page.locator("#pareto").scroll_into_view_if_needed()
    return page.evaluate(f"""() => {{
        const box = place.getBoundingClientRect();
        const [x, y] = placeOf({point});
        return [box.left + x, box.top + y];
    }}""")


def test_codecs_far_off_are_named_instead_of_drawn_and_can_be_asked_for(opened, report):
    page = opened(report)
    outside = page.locator("#outside").inner_text()
    assert "bitmap + signs, 1.06 to 1.14 bits per weight" in outside
    assert "ternary ANS" not in outside
    assert "One image of the validation split is 0.02 percentage points." in outside
    assert page.evaluate("place._fullLayout.xaxis.range[1]") < 1
    page.get_by_role("checkbox", name="all codecs").check()
    assert "Not shown" not in page.locator("#outside").inner_text()
    assert page.evaluate("place._fullLayout.xaxis.range[1]") > 1.1
    eventually(page, "location.hash === '#codecs=all'")
    shared = opened(report, "#codecs=all&axis=test")
    assert shared.get_by_role("checkbox", name="all codecs").is_checked()
    assert "One image of the test split is 0.01" in shared.locator("#outside").inner_text()
    chosen = opened(report, "#codec=XOR%20code%2C%20minimum,bitmap%20%2B%20signs")
    assert "Not shown" not in chosen.locator("#outside").inner_text()


def test_rates_dense_accuracy_and_deviations_are_drawn(opened, report):
    page = opened(report)
    names = page.locator("#pareto .annotation text").all_text_contents()
    assert sorted(names) == ["S = 0.9", "S = 0.95", "S = 0.98"]
    (line,) = page.evaluate("place._fullLayout.shapes.map((s) => [s.xref, s.y0, s.line.dash])")
    assert line[0] == "paper"
    assert line[2] == "dot"
    assert 99 < line[1] < 99.5
    spreads = page.evaluate("shown.map((p) => POINTS.validation_metric_spread[p])")
    assert min(spreads) > 0
    page.locator("input[name=dots][value=point]").check()
    assert set(page.evaluate("shown.map((p) => POINTS.validation_metric_spread[p])")) == {0}


def test_a_front_ends_at_its_last_point(opened, report):
    page = opened(report)
    lines = page.evaluate("place.data.map((line) => line.x.length)")
    assert lines == page.evaluate("fronts.map((front) => front.length)")


def test_equal_accuracies_get_an_axis_whose_labels_differ(opened, tmp_path):
    points = [make_point(f"p{i}", [make_row(n_out=300 + i)]) for i in range(3)]
    page = opened(build_report(write_report(tmp_path, points)))
    labels = page.locator("#pareto .ytick text").all_text_contents()
    assert len(labels) == len(set(labels)) > 2


def test_nothing_left_is_said_in_words(opened, tmp_path):
    points = [make_point("a", [make_row(n_in=20)]), make_point("b", [make_row(n_in=12, prune_rate=0.9)])]
    page = opened(build_report(write_report(tmp_path, points)), "#S=0.9&n_in=20")
    assert "the filters leave no point" in page.locator("#nothing").inner_text()
    assert page.locator("#pareto").get_attribute("aria-label") == page.locator("#nothing").inner_text()
    assert page.locator("#pareto .xtick").count() == 0
    page.get_by_role("button", name="Show all").click()
    eventually(page, "document.querySelector('#nothing').hidden")


def test_untrained_signs_alone_say_why_nothing_is_drawn(opened, tmp_path):
    dense = make_baseline("dense", 0.0, 1.0, test_metric=None)
    page = opened(
        build_report(write_report(tmp_path, [make_point("a", [make_row(), dense])])), "#codec=dense%201-bit"
    )
    assert "nobody trained" in page.locator("#nothing").inner_text()


def test_the_figure_says_what_it_shows(opened, report):
    page = opened(report, "#S=0.95&axis=test")
    label = page.locator("#pareto").get_attribute("aria-label")
    assert label == (
        "All points: test accuracy against bits per weight, S = 0.95: 6 means of the XOR code, 6 of other codecs; "
        "the front of the XOR code has 1"
    )


def test_zoom_can_be_undone_by_a_button(opened, report):
    page = opened(report)
    button = page.get_by_role("button", name="Reset zoom")
    assert not button.is_visible()
    page.locator("#pareto").scroll_into_view_if_needed()
    box = page.locator("#pareto").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    eventually(page, "!document.querySelector('#unzoom').hidden")
    button.click()
    eventually(page, "document.querySelector('#unzoom').hidden")
    assert page.evaluate("place._fullLayout.xaxis.range") == pytest.approx(page.evaluate("full.x"))
    assert not page.locator("#chosen").is_visible()
    # What is inside an image is nothing to a screen reader.
    assert page.locator("[role=img] button").count() == 0


def test_a_finger_scrolls_over_the_figures_and_taps_a_dot(opened, report):
    page = opened(report, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    assert page.evaluate("place._fullLayout.dragmode") is False
    touch = "getComputedStyle(document.querySelector('#pareto .nsewdrag')).touchAction"
    assert page.evaluate(touch) == "pan-y"
    # The filters do not stand before what they filter, until one is set.
    assert not page.locator("#filters fieldset").first.is_visible()
    page.touchscreen.tap(*place_of(page, "shown[0]"))
    eventually(page, "!document.querySelector('#chosen').hidden")
    filtered = opened(report, "#S=0.95", viewport={"width": 390, "height": 800})
    assert filtered.locator("#filters fieldset").first.is_visible()


def test_a_chosen_mean_says_whose_command_is_shown(opened, report):
    page = opened(report, "#codec=minimum&S=0.95")
    assert page.locator("#chosen").get_attribute("aria-live") == "polite"
    page.mouse.click(*place_of(page, "shown[0]"))
    assert page.locator("#whose").inner_text() == "mean of 3 seeds; seed 0's command:"
    page.locator("#front tbody tr").first.click()
    assert page.locator("#whose").inner_text() == "mean of 3 seeds; seed 0's command:"
    page.locator("#rows tbody tr").first.click()
    assert page.locator("#whose").inner_text() == ""
    assert "seed 0" in page.locator("#chosen strong").inner_text()


def test_titles_of_axes_have_one_size(opened, report):
    page = opened(report)
    page.locator("#bits .plot").first.scroll_into_view_if_needed()
    page.locator("#bits .xtitle").first.wait_for()
    sizes = page.evaluate("""() => [...document.querySelectorAll(".xtitle, .ytitle")]
        .map((title) => getComputedStyle(title).fontSize)""")
    assert len(sizes) > 3
    assert set(sizes) == {"13px"}


@pytest.mark.parametrize("width", [390, 1440])
def test_the_first_column_stays_and_the_page_is_never_wider_than_the_window(opened, report, width):
    page = opened(report, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    scroll = page.locator("#rows .scroll")
    scroll.evaluate("(part) => { part.scrollLeft = 300; }")
    left = (
        "(part) => part.querySelector('td').getBoundingClientRect().left - part.getBoundingClientRect().left"
    )
    assert abs(scroll.evaluate(left)) <= 2


def test_on_paper_numbers_are_whole_and_few_columns_are_printed(opened, report):
    page = opened(report)
    page.emulate_media(media="print")
    eventually(page, "document.documentElement.classList.contains('paper')")
    heads = page.locator("#rows th:visible").all_text_contents()
    assert len(heads) <= 11
    assert {"bits_per_weight", "file_bits_per_parameter"} <= set(heads)
    wrapped = """() => [...document.querySelectorAll("#rows td:not(.text), #summary td:not(.text)")]
        .filter((cell) => getComputedStyle(cell).whiteSpace !== "nowrap").length"""
    assert page.evaluate(wrapped) == 0
    assert page.evaluate("getComputedStyle(document.querySelector('.keep')).breakInside") == "avoid"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#rows thead')).display")
        == "table-header-group"
    )
    assert page.locator("#unzoom").is_hidden()


def test_a_failures_command_can_be_copied(opened, tmp_path):
    page = opened(build_report(write_report(tmp_path, [make_failure("a", "broken")])))
    page.get_by_role("button", name="Copy", exact=True).click()
    eventually(page, "document.querySelector('.failure [role=status]').textContent !== ''")
    selected = page.evaluate("getSelection().toString()").strip()
    assert selected == "python scripts/train.py +experiment=lenet_sweep seed=9"


def test_what_else_was_swept_filters_the_figure(opened, tmp_path):
    points = [
        make_point(
            f"p{structure}",
            [
                make_row(config=(config := make_config(prune__structure=structure))),
                make_baseline("csr5", 0.3, 0.06, config=config),
            ],
        )
        for structure in (0.0, 1.0)
    ]
    page = opened(build_report(write_report(tmp_path, points)), "#prune.structure=1")
    assert page.locator("#shown").inner_text() == "1 of 2 points and 1 of 2 results of other codecs."
    page.locator("input[name='prune.structure'][value='1']").uncheck()
    assert page.locator("#shown").inner_text().startswith("2 of 2 points")


def test_of_a_metric_that_is_to_be_low_the_front_goes_down(opened, tmp_path):
    page = opened(build_report(experiment(tmp_path)))
    assert page.locator("#pareto .ytitle").text_content() == "validation perplexity"
    cells = page.locator("#front tbody tr").evaluate_all(
        "lines => lines.map((line) => line.cells[1].textContent)"
    )
    assert cells == ["91.2", "90.5"]
    assert page.evaluate("referenceOf(ALL, 'validation')") == pytest.approx(91)
