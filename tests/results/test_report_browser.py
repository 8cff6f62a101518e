"""The report in a real browser: it can be used by mouse, finger and keyboard, and asks nobody for anything."""

import random
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from synthetic import (
    make_baseline,
    make_config,
    make_failure,
    make_point,
    make_row,
    sweep,
    write_metrics,
    write_report,
)
from test_any_code import experiment

from xorjax.results.compare import compare
from xorjax.results.compare_page import write_comparison
from xorjax.results.report import build_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """54 points of two layers; a command tells which point it runs."""
    runs = tmp_path_factory.mktemp("runs")
    points = sweep(runs, layers=("fc1", "fc2"), methods=("minimum", "greedy"), fills=(0.8,), n_seeds=3)
    for point in points:
        for row in point["rows"]:
            row["command"] = f"python scripts/train.py seed={row['seed']} prune.rate={row['prune_rate']:g}"
    return build_report(write_report(runs, points))


def eventually(page: Page, condition: str) -> None:
    """Playwright's own waiting needs eval, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{condition} did not come true")


def column(page: Page, table: str, heading: str) -> list[str]:
    """The cells below a heading of a table, by its label."""
    region = page.get_by_role("region", name=table, exact=True)
    headings = region.locator("thead tr:last-child th").all_text_contents()
    place = [name.strip(" ▲▼") for name in headings].index(heading) + 1
    return region.locator(f"tbody td:nth-child({place})").all_text_contents()


def shown(page: Page) -> str:
    return page.locator("#shown").inner_text()


def dots(page: Page) -> Locator:
    """The marks of the main figure; its first trace."""
    page.locator("#pareto").scroll_into_view_if_needed()
    return page.locator("#pareto .trace.scatter").first.locator(".points path")


def centre(dot: Locator) -> tuple[float, float]:
    box = dot.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_every_figure_is_drawn_without_being_reached(opened, report):
    page = opened(report)
    eventually(page, "document.querySelectorAll('.plot:not(.js-plotly-plot)').length === 0")
    sizes = (
        "[...document.querySelectorAll('.xtitle, .ytitle')].map((title) => getComputedStyle(title).fontSize)"
    )
    assert set(page.evaluate(sizes)) == {"13px"}


def test_filters_act_on_figure_and_table_and_are_kept_in_the_address(opened, report):
    page = opened(report)
    assert shown(page).startswith("54 of 54 points and 54 of 54 results")
    page.get_by_role("group", name="prune rate S").get_by_label("0.95").check()
    page.get_by_role("group", name="n_in").get_by_label("20").check()
    assert shown(page).startswith("6 of 54 points and 18 of 54 results")
    assert set(column(page, "all rows", "prune_rate")) == {"0.95"}
    assert set(column(page, "all rows", "n_in")) == {"20", ""}
    page.get_by_label("XOR code, minimum").check()
    assert set(column(page, "all rows", "codec")) == {"XOR code, minimum"}
    assert dots(page).count() == 1
    page.get_by_role("radio", name="test").check()
    page.get_by_role("button", name="bits_per_weight").click()
    address = page.url[page.url.index("#") :]
    shared = opened(report, address)
    assert shown(shared) == shown(page)
    assert column(shared, "all rows", "point") == column(page, "all rows", "point")
    assert shared.locator("#pareto .ytitle").text_content() == "test accuracy (%)"
    page.get_by_role("link", name="Masks").click()
    assert page.url.endswith(address)
    page.get_by_role("button", name="Show all").click()
    eventually(page, "location.hash === '#sort=bits_per_weight'")
    assert shown(page).startswith("54 of 54")


def test_the_front_is_found_by_validation_whichever_is_drawn(opened, tmp_path):
    accuracies = [(0.980, 0.999), (0.985, 0.98), (0.990, 0.97), (0.970, 0.9999)]
    rows = [
        make_row(n_out=300 - i, bits_per_weight=0.3 + i / 100, validation_metric=validation, test_metric=test)
        for i, (validation, test) in enumerate(accuracies)
    ]
    page = opened(build_report(write_report(tmp_path, rows)))
    for axis in ("validation", "test"):
        page.get_by_role("radio", name=axis).check()
        assert column(page, "front", "bits per weight") == ["0.3000", "0.3100", "0.3200"]
        # Over the test split they are not joined, but have a ring.
        assert (page.locator("#pareto .js-line").count() > 0) == (axis == "validation")


def test_dots_are_means_over_seeds_unless_single_ones_are_chosen(opened, report):
    page = opened(report, "#codec=XOR%20code%2C%20minimum")
    assert dots(page).count() == 9
    assert set(column(page, "front", "seed")) == {"0, 1, 2"}
    page.get_by_role("group", name="seed").get_by_label("1").check()
    assert set(column(page, "front", "seed")) == {"1"}
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("radio", name="one seed").check()
    eventually(page, "location.hash.includes('dots=point')")
    assert dots(page).count() == 54 + 54
    label = page.locator("#pareto").get_attribute("aria-label")
    assert "54 points of the XOR code, 54 of other codecs" in str(label)


@pytest.mark.parametrize(("address", "said"), [("#S=0.95", "mean of 3 seeds"), ("#S=0.95&dots=point", "")])
def test_a_dot_says_what_it_is_and_gives_its_command(opened, report, address, said):
    page = opened(report, address)
    page.mouse.move(*centre(dots(page).first))
    page.locator("#pareto .hovertext").wait_for()
    assert "S 0.95" in page.locator("#pareto .hovertext").text_content()
    chosen = page.get_by_label("The chosen point")
    assert not chosen.is_visible()
    page.mouse.click(*centre(dots(page).first))
    eventually(page, "!document.querySelector('#chosen').hidden")
    assert "prune.rate=0.95" in chosen.locator("code").inner_text()
    assert chosen.locator("#whose").inner_text().startswith(said)
    assert page.evaluate("getSelection().toString()").strip() == chosen.locator("code").inner_text()
    page.keyboard.press("Escape")
    assert not chosen.is_visible()


def test_the_table_is_used_by_the_keyboard_alone_and_has_pages(opened, report):
    page = opened(report)
    for order, best in (("ascending", min), ("descending", max)):
        page.get_by_role("button", name="n_out").focus()
        page.keyboard.press("Enter")
        assert page.locator("#rows th", has_text="n_out").get_attribute("aria-sort") == order
        n_outs = [int(text) for text in column(page, "all rows", "n_out") if text]
        assert n_outs[0] == best(n_outs)
    page.locator("#rows tbody tr").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#rows tr[aria-selected]").count() == 1
    command = page.get_by_label("The chosen point").locator("code").inner_text()
    assert command == column(page, "all rows", "command")[1]
    following = page.get_by_role("button", name="Next")
    following.click()
    assert page.locator("#rows [role=status]").inner_text() == "Rows 101 to 200 of 216 rows"
    following.click()
    assert page.locator("#rows tbody tr").count() == 16
    assert following.is_disabled()


def test_the_first_thing_that_tab_reaches_skips_to_the_content(opened, report):
    page = opened(report)
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_any_setting_is_shown_by_layer(opened, report):
    page = opened(report)
    settings = page.get_by_role("combobox", name="Setting").locator("option").all_text_contents()
    assert len(settings) == len(set(settings)) == 3 * 3 * 2 + 3 * 6
    page.get_by_role("combobox", name="Setting").select_option(settings[0])
    assert column(page, "layers of the setting", "layer") == ["fc1", "fc2"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_chosen(opened, report, scheme):
    page = opened(report, color_scheme=scheme)
    colours = """[getComputedStyle(document.body).backgroundColor,
        document.querySelector("#bits .bars path").style.fill]"""
    light, dark = ["rgb(255, 255, 255)", "rgb(8, 77, 138)"], ["rgb(20, 23, 26)", "rgb(32, 111, 198)"]
    own, other = (light, dark) if scheme == "light" else (dark, light)
    page.locator("#bits .bars path").first.wait_for()
    assert page.evaluate(colours) == own
    page.get_by_role("button", name="theme").click()
    assert page.evaluate(colours) == other
    page.reload()
    page.locator("#bits .bars path").first.wait_for()
    assert page.evaluate(colours) == other


def test_paper_is_light_and_whole_and_without_controls(opened, report):
    page = opened(report, color_scheme="dark")
    page.emulate_media(media="print")
    eventually(page, "document.documentElement.classList.contains('paper')")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".plot:not(.js-plotly-plot)").count() == 0
    wider = """[...document.querySelectorAll(".plot .main-svg, #pareto .main-svg")]
        .filter((svg) => svg.getBoundingClientRect().right > 700).length"""
    assert page.evaluate(wider) == 0
    for control in ("nav", "#filters", "#axes", "#theme", "#unzoom", "#rows .buttons"):
        assert not page.locator(control).first.is_visible()
    heads = page.locator("#rows th:visible").all_text_contents()
    assert {"bits_per_weight", "file_bits_per_parameter"} <= set(heads)
    assert len(heads) <= 11
    assert page.locator("#rows tbody tr:visible").count() == 60
    assert len(page.pdf()) > 50_000
    page.emulate_media(media="screen")
    eventually(page, "!document.documentElement.classList.contains('paper')")


@pytest.mark.parametrize("n_done", [0, 1, 2])
def test_partial_sweeps_open_without_an_error(opened, tmp_path, n_done):
    points = [make_point("a", [make_row()]), make_failure("b", "broken")][:n_done]
    page = opened(build_report(write_report(tmp_path / "runs", points, planned=["a", "b", "c"])))
    assert (page.locator("#pareto").count() > 0) == (n_done > 0)
    assert page.locator("#rows tbody tr").count() == n_done
    if n_done == 2:
        page.get_by_role("button", name="Copy", exact=True).click()
        eventually(page, "document.querySelector('.failure [role=status]').textContent !== ''")
        assert "+experiment=lenet_sweep seed=9" in page.evaluate("getSelection().toString()")


def test_a_name_that_looks_like_a_script_swallows_nothing(opened, tmp_path):
    metrics = write_metrics(tmp_path / "runs", "dense/0", 3, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "<!--<script>", "metrics": metrics}
    config = make_config(prune__strategy="<img src=x onerror=alert(1)>")
    points = [make_point("a", [make_row(command="<!--<script>", config=config)], curves=[curve]), make_row()]
    page = opened(build_report(write_report(tmp_path / "runs", points)))
    assert "<!--<script>" in column(page, "all rows", "command")
    page.mouse.move(*centre(dots(page).first))
    page.locator("#pareto .hovertext").wait_for()
    page.locator("#training .plot").first.scroll_into_view_if_needed()
    page.locator("#training .js-plotly-plot").first.wait_for()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("address", ["#S=%", "#S=%E0%A4%A&axis=test", "#S", "#=", "#%"])
def test_an_address_that_means_nothing_leaves_the_page_alive(opened, report, address):
    page = opened(report, address)
    assert shown(page).startswith("54 of 54")
    assert page.get_by_role("radio", name="test" if "axis=test" in address else "validation").is_checked()
    page.get_by_role("group", name="prune rate S").get_by_label("0.95").check()
    assert set(column(page, "all rows", "prune_rate")) == {"0.95"}
    page.evaluate("location.hash = '#codec=%'")
    eventually(page, "document.querySelector('#shown').textContent.startsWith('54 of 54')")


def test_many_values_of_a_filter_are_chosen_by_their_ends(opened, tmp_path):
    rows = [make_row(prune_rate=round(0.5 + i / 100, 2)) for i in range(40)]
    page = opened(build_report(write_report(tmp_path, rows)), "#S=0.6..0.7")
    assert set(column(page, "all rows", "prune_rate")) == {f"{0.5 + i / 100:g}" for i in range(10, 21)}
    page.get_by_label("to", exact=True).fill("0.65")
    assert len(column(page, "all rows", "prune_rate")) == 6
    assert page.url.endswith("#S=0.6..0.65")


def test_codecs_far_off_are_named_instead_of_drawn_and_can_be_asked_for(opened, report):
    page = opened(report)
    assert "bitmap + signs, " in page.locator("#outside").inner_text()
    assert "ternary ANS" not in page.locator("#outside").inner_text()
    page.get_by_role("checkbox", name="all codecs").check()
    assert "Not shown" not in page.locator("#outside").inner_text()
    eventually(page, "location.hash === '#codecs=all'")


def test_nothing_left_is_said_in_words(opened, tmp_path):
    dense = make_baseline("dense", 0.0, 1.0, test_metric=None)
    points = [make_point("a", [make_row(n_in=20), dense]), make_row(n_in=12, prune_rate=0.9)]
    path = build_report(write_report(tmp_path, points))
    views = {"#S=0.9&n_in=20&codec=XOR%20code%2C%20minimum": "no point", "#codec=dense%201-bit": "nobody"}
    for address, said in views.items():
        page = opened(path, address)
        assert said in page.locator("#nothing").inner_text()
        assert page.locator("#pareto").get_attribute("aria-label") == page.locator("#nothing").inner_text()
        assert page.locator("#pareto .xtick").count() == 0
    page.get_by_role("button", name="Show all").click()
    eventually(page, "document.querySelector('#nothing').hidden")
    labels = page.locator("#pareto .ytick text").all_text_contents()
    assert len(labels) == len(set(labels)) > 2


def test_zoom_can_be_undone_by_a_button(opened, report):
    page = opened(report)
    before = sorted(page.locator("#pareto .xtick text").all_text_contents())
    page.locator("#pareto").scroll_into_view_if_needed()
    box = page.locator("#pareto").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    ticks = (
        "[...document.querySelectorAll('#pareto .xtick text')].map((tick) => tick.textContent).sort().join()"
    )
    eventually(page, f"{ticks} !== '{','.join(before)}'")
    page.get_by_role("button", name="Reset zoom").click()
    eventually(page, f"{ticks} === '{','.join(before)}'")
    assert not page.get_by_label("The chosen point").is_visible()


def test_a_finger_scrolls_over_the_figures_and_taps_a_dot(opened, report):
    page = opened(report, "#S=0.95", viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    assert page.evaluate("getComputedStyle(document.querySelector('#pareto .drag')).touchAction") == "pan-y"
    assert not page.get_by_role("button", name="Reset zoom").is_visible()
    page.touchscreen.tap(*centre(dots(page).first))
    eventually(page, "!document.querySelector('#chosen').hidden")
    # The filters do not stand before what they filter, until one is set.
    assert page.get_by_role("group", name="prune rate S").is_visible()
    unset = opened(report, viewport={"width": 390, "height": 800})
    assert not unset.get_by_role("group", name="prune rate S").is_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_first_column_stays_and_the_page_is_never_wider_than_the_window(opened, report, width):
    page = opened(report, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    left = "(part) => part.querySelector('td').getBoundingClientRect().x - part.getBoundingClientRect().x"
    for region in page.locator(".scroll:has(table:not(.settings) td)").all():
        region.evaluate("(part) => { part.scrollLeft = 300; }")
        assert abs(region.evaluate(left)) <= 2


def test_of_a_metric_that_is_to_be_low_the_front_goes_down(opened, tmp_path):
    page = opened(build_report(experiment(tmp_path)))
    assert page.locator("#pareto .ytitle").text_content() == "validation perplexity"
    assert column(page, "front", "validation") == ["91.2", "90.5"]


def test_the_comparison_opens(opened, report, tmp_path):
    write_comparison(compare(report.parent, report.parent), tmp_path / "page.html")
    page = opened(tmp_path / "page.html", color_scheme="dark")
    page.locator("#fronts .plot").first.scroll_into_view_if_needed()
    page.locator("#fronts .js-plotly-plot").first.wait_for()
    row = page.get_by_role("region", name="How the pairs differ").get_by_role("row", name="value bits")
    assert "18" in row.inner_text().split()


def test_an_outside_request_and_an_error_would_be_seen(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text('<img src="http://127.0.0.1:9/image.png"><script>undefinedName()</script>')
    page = browser.new_page()
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.close()
    assert any("undefinedName" in error for error in errors)
    assert "http://127.0.0.1:9/image.png" in asked
