"""The pages in a real browser: they open from disk, can be used by mouse and keyboard, and ask nobody for anything."""

import random
from pathlib import Path

import pytest
from playwright.sync_api import Page
from synthetic import make_failure, make_point, make_row, sweep, write_metrics, write_report

from xorjax.results.compare import compare
from xorjax.results.compare_page import write_comparison
from xorjax.results.report import build_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    points = sweep(runs, layers=("fc1", "fc2"), methods=("minimum", "greedy"), fills=(0.8,))
    for point in points:
        row = point["rows"][0]
        command = f"python scripts/train.py seed={row['seed']} prune.rate={row['prune_rate']:g} "
        command += f"xor.n_in={row['n_in']} xor.method={row['method']}"
        for row in point["rows"]:
            row["command"] = command
    return build_report(write_report(runs, points))


def eventually(page: Page, condition: str) -> None:
    """Playwright's own waiting needs eval, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{condition} did not come true")


def rows(page: Page, column: str) -> list[str]:
    headings = page.locator("#rows th").all_text_contents()
    place = headings.index(column) + 1
    return page.locator(f"#rows tbody td:nth-child({place})").all_text_contents()


def test_every_figure_is_drawn_without_being_reached(opened, report):
    page = opened(report)
    eventually(page, "document.querySelectorAll('.plot:not(.js-plotly-plot)').length === 0")
    assert page.locator(".plot path").count() > 100


def test_filters_act_on_the_figure_and_on_the_table_and_are_kept_in_the_address(opened, report):
    page = opened(report)
    assert page.locator("#shown").inner_text().startswith("54 of 54 points and 54 of 54 results")
    page.get_by_label("0.95", exact=True).check()
    page.locator("input[name=n_in][value='20']").check()
    assert page.locator("#shown").inner_text().startswith("6 of 54 points and 18 of 54 results")
    assert set(rows(page, "prune_rate")) == {"0.95"}
    assert set(rows(page, "n_in")) == {"20", ""}
    page.locator("input[name=codec][value='XOR code, minimum']").check()
    assert set(rows(page, "codec")) == {"XOR code, minimum"}
    page.locator("input[name=axis][value=test]").check()
    page.locator("#rows th button", has_text="bits_per_weight").click()
    address = page.url[page.url.index("#") :]
    assert address == "#S=0.95&n_in=20&codec=XOR%20code%2C%20minimum&axis=test&sort=bits_per_weight"

    shared = opened(report, address)
    assert shared.locator("#shown").inner_text() == page.locator("#shown").inner_text()
    assert rows(shared, "point") == rows(page, "point")
    assert shared.locator("#pareto .ytitle").text_content() == "test accuracy (%)"
    page.get_by_role("link", name="Masks").click()
    assert page.url.endswith(address)
    page.get_by_role("button", name="Show all").click()
    eventually(page, "location.hash === '#sort=bits_per_weight'")
    assert page.locator("#shown").inner_text().startswith("54 of 54")


def test_the_front_is_what_no_shown_point_beats(opened, report):
    page = opened(report)
    page.locator("input[name=seed][value='1']").check()
    front = page.evaluate("""() => {
        const left = ALL.filter((p) => kept[POINTS.row[p]] && POINTS.isCode[p]);
        const beats = (a, b) => a !== b && POINTS.bits_per_weight[a] <= POINTS.bits_per_weight[b]
            && POINTS.validation_metric[a] >= POINTS.validation_metric[b];
        return left.filter((b) => !left.some((a) => beats(a, b))).length;
    }""")
    assert page.locator("#front tbody tr").count() == front > 1
    bits = [float(text) for text in page.locator("#front td:first-child").all_text_contents()]
    assert bits == sorted(bits)


def test_the_front_is_found_by_validation_accuracy_whichever_is_drawn(opened, tmp_path):
    accuracies = [(0.980, 0.999), (0.985, 0.98), (0.990, 0.97), (0.970, 0.9999)]
    points = [
        make_point(
            f"p{i}",
            [make_row(n_out=300 - i, bits_per_weight=0.3 + i / 100, validation_metric=val, test_metric=test)],
        )
        for i, (val, test) in enumerate(accuracies)
    ]
    page = opened(build_report(write_report(tmp_path, points)), "#axis=test&front=test")
    bits = page.locator("#front td:first-child").all_text_contents()
    assert bits == ["0.3000", "0.3100", "0.3200"]
    # Over test accuracy they are not joined, but have a ring.
    assert page.evaluate("place.data.length") == 0
    assert page.evaluate("fronts[0].map((p) => POINTS.test_metric[p])") == pytest.approx([0.999, 0.98, 0.97])
    page.locator("input[name=axis][value=validation]").check()
    assert page.evaluate("place.data[0].x") == pytest.approx([0.30, 0.31, 0.32])
    assert page.locator("input[name=front]").count() == 0


def test_dots_are_means_over_seeds_unless_single_ones_are_chosen(opened, report):
    page = opened(report)
    assert page.locator("#shown").inner_text().startswith("54 of 54 points")
    assert page.evaluate("shown.filter((p) => POINTS.isCode[p]).length") == 54 / 3
    wrong = """() => shown.filter((dot) => {
        const mine = ALL.filter((p) => POINTS.setting[p] === POINTS.setting[dot]);
        const of = (name) => mine.map((p) => POINTS[name][p]).reduce((a, b) => a + b) / mine.length;
        return ["bits_per_weight", "validation_metric", "test_metric"]
            .some((name) => Math.abs(POINTS[name][dot] - of(name)) > 1e-9);
    }).length"""
    assert page.evaluate(wrong) == 0
    assert set(page.locator("#front td:nth-child(4)").all_text_contents()) == {"0, 1, 2"}
    page.locator("input[name=seed][value='1']").check()
    page.locator("input[name=seed][value='2']").check()
    assert set(page.locator("#front td:nth-child(4)").all_text_contents()) == {"1, 2"}
    page.locator("input[name=dots][value=point]").check()
    assert page.evaluate("shown.filter((p) => POINTS.isCode[p]).length") == 54 / 3 * 2
    eventually(page, "location.hash.includes('dots=point')")
    page.get_by_role("button", name="Show all").click()
    eventually(page, "!location.hash.includes('dots')")
    assert page.evaluate("shown.filter((p) => POINTS.isCode[p]).length") == 54 / 3


def test_a_mean_gives_the_command_of_one_of_its_points(opened, report):
    page = opened(report, "#codec=minimum&S=0.95")
    page.locator("#pareto").scroll_into_view_if_needed()
    x, y = page.evaluate("""() => {
        const box = place.getBoundingClientRect();
        const [x, y] = placeOf(shown[0]);
        return [box.left + x, box.top + y];
    }""")
    page.mouse.move(x, y)
    assert "mean over seeds 0, 1, 2" in page.locator("#tip strong").inner_text()
    page.mouse.click(x, y)
    assert "prune.rate=0.95" in page.locator("#chosen code").inner_text()


def test_points_of_a_search_are_filtered(opened, tmp_path):
    points = [make_point(name, [make_row(n_out=300 + i)]) for i, name in enumerate("abc")]
    page = opened(build_report(write_report(tmp_path, points, searched=["b", "c"])), "#origin=search")
    assert rows(page, "point") == ["b", "c"]
    page.locator("input[name=origin][value=search]").uncheck()
    assert rows(page, "origin") == ["sweep", "search", "search"]


def test_a_dot_says_what_it_is_and_gives_its_command(opened, report):
    page = opened(report, "#dots=point")
    page.locator("#pareto").scroll_into_view_if_needed()
    x, y = page.evaluate("""() => {
        const box = place.getBoundingClientRect();
        const [x, y] = placeOf(7);
        return [box.left + x, box.top + y];
    }""")
    command = page.evaluate("() => column.command[POINTS.row[7]]")
    page.mouse.move(x, y)
    assert page.locator("#tip code").inner_text().startswith("python scripts/train.py seed=")
    assert not page.locator("#chosen").is_visible()
    page.mouse.click(x, y)
    shown = page.locator("#chosen code").inner_text()
    # Codings that cost the same lie on each other.
    assert shown.split(" xor.")[0] == command.split(" xor.")[0]
    assert page.evaluate("() => getSelection().toString()").strip() == shown
    page.keyboard.press("Escape")
    assert not page.locator("#chosen").is_visible()


def test_the_table_is_used_by_the_keyboard_alone(opened, report):
    page = opened(report)
    heading = page.locator("#rows th", has_text="n_out")
    heading.locator("button").focus()
    for order, best in (("ascending", min), ("descending", max)):
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == order
        n_outs = [int(text) for text in rows(page, "n_out") if text]
        assert n_outs[0] == best(n_outs)
    page.locator("#rows tbody tr").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#rows tr[aria-selected]").count() == 1
    assert page.locator("#chosen code").inner_text() == rows(page, "command")[1]
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.dataset.step") == "1"


def test_the_first_thing_that_tab_reaches_skips_to_the_content(opened, report):
    page = opened(report)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"


def test_a_table_of_many_rows_has_pages(opened, report):
    page = opened(report)
    assert page.locator("#rows tbody tr").count() == 100
    previous, following = page.get_by_role("button", name="Previous"), page.get_by_role("button", name="Next")
    assert previous.is_disabled()
    following.click()
    assert page.locator("#rows [role=status]").inner_text() == "Rows 101 to 200 of 216 rows"
    following.click()
    assert page.locator("#rows tbody tr").count() == 16
    assert following.is_disabled()


def test_any_setting_is_shown_by_layer(opened, report):
    page = opened(report)
    settings = page.locator("#setting option").all_text_contents()
    assert len(settings) == 3 * 3 * 2 + 3 * 6
    setting = next(text for text in settings if "0.98" in text and "32 →" in text and "greedy" in text)
    page.locator("#setting").select_option(setting)
    assert page.locator("#layers td:first-child").all_text_contents() == ["fc1", "fc2"]
    means = page.evaluate("""() => {
        const mine = ALL.filter((p) => POINTS.setting[p] === document.querySelector("#setting").value);
        return mine.map((p) => POINTS.bits_per_weight[p]).reduce((a, b) => a + b) / mine.length;
    }""")
    totals = [float(text) for text in page.locator("#layers td:nth-child(8)").all_text_contents()]
    assert sum(totals) / 2 == pytest.approx(means, abs=6e-4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_chosen(opened, report, scheme):
    page = opened(report, color_scheme=scheme)
    colours = """() => [getComputedStyle(document.body).backgroundColor,
        document.querySelector(".plot .bars path").style.fill,
        getComputedStyle(document.querySelector("#bits .legend i")).backgroundColor]"""
    bar = page.locator("#bits .bars path").first
    page.locator("#bits .plot").first.scroll_into_view_if_needed()
    bar.wait_for()
    light = ["rgb(255, 255, 255)", "rgb(8, 77, 138)", "rgb(8, 77, 138)"]
    dark = ["rgb(20, 23, 26)", "rgb(32, 111, 198)", "rgb(32, 111, 198)"]
    assert page.evaluate(colours) == (light if scheme == "light" else dark)
    page.locator("#theme").click()
    assert page.evaluate(colours) == (dark if scheme == "light" else light)
    page.reload()
    page.locator("#bits .plot").first.scroll_into_view_if_needed()
    bar.wait_for()
    assert page.evaluate(colours) == (dark if scheme == "light" else light)


def test_paper_is_light_and_whole_and_without_controls(opened, report):
    page = opened(report, color_scheme="dark")
    page.emulate_media(media="print")
    eventually(page, "document.documentElement.classList.contains('paper')")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".plot:not(.js-plotly-plot)").count() == 0
    wider = """() => [...document.querySelectorAll(".plot .main-svg, #pareto .main-svg")]
        .filter((svg) => svg.getBoundingClientRect().right > 700).length"""
    assert page.evaluate(wider) == 0
    for control in ("nav", "#filters", "#axes", "#theme", "#rows .buttons"):
        assert not page.locator(control).first.is_visible()
    assert page.locator("#rows tbody tr:visible").count() == 60
    assert len(page.pdf()) > 50_000
    page.emulate_media(media="screen")
    eventually(page, "!document.documentElement.classList.contains('paper')")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"


@pytest.mark.parametrize("n_done", [0, 1, 2])
def test_partial_sweeps_open_without_an_error(opened, tmp_path, n_done):
    points = [make_point("a", [make_row()]), make_failure("b", "broken")][:n_done]
    report_dir = write_report(tmp_path / "runs", points, planned=["a", "b", "c"])
    page = opened(build_report(report_dir))
    assert (page.locator("#pareto").count() > 0) == (n_done > 0)
    assert page.locator("#rows tbody tr").count() == n_done
    assert f"{min(n_done, 1)} of 3 points finished" in page.locator("#progress").inner_text()


def test_a_name_that_looks_like_a_script_swallows_nothing(opened, tmp_path):
    metrics = write_metrics(tmp_path / "runs", "dense/0", 3, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "<!--<script>", "metrics": metrics}
    point = make_point("a", [make_row(command="<!--<script>")], curves=[curve])
    page = opened(build_report(write_report(tmp_path / "runs", [point])))
    assert rows(page, "command") == ["<!--<script>"]
    page.locator("#training .plot").first.scroll_into_view_if_needed()
    page.locator("#training .js-plotly-plot").first.wait_for()


@pytest.mark.parametrize("address", ["#S=%", "#S=%E0%A4%A&axis=test", "#S", "#=", "#%"])
def test_an_address_that_means_nothing_leaves_the_page_alive(opened, report, address):
    page = opened(report, address)
    assert page.locator("#shown").inner_text().startswith("54 of 54")
    axis = page.locator("input[name=axis]:checked").get_attribute("value")
    assert axis == ("test" if "axis=test" in address else "validation")
    page.get_by_label("0.95", exact=True).check()
    assert set(rows(page, "prune_rate")) == {"0.95"}
    page.evaluate("location.hash = '#codec=%'")
    eventually(page, "document.querySelector('#shown').textContent.startsWith('54 of 54')")


def test_many_values_of_a_filter_are_chosen_by_their_ends(opened, tmp_path):
    points = [make_point(f"p{i}", [make_row(prune_rate=round(0.5 + i / 100, 2))]) for i in range(40)]
    page = opened(build_report(write_report(tmp_path, points)), "#S=0.6..0.7")
    assert set(rows(page, "prune_rate")) == {f"{0.5 + i / 100:g}" for i in range(10, 21)}
    page.locator("input[data-end=to]").fill("0.65")
    assert len(rows(page, "prune_rate")) == 6
    assert page.url.endswith("#S=0.6..0.65")


def test_the_comparison_opens(opened, report, tmp_path):
    write_comparison(compare(report.parent, report.parent), tmp_path / "page.html")
    page = opened(tmp_path / "page.html", color_scheme="dark")
    page.locator("#fronts .plot").first.scroll_into_view_if_needed()
    page.locator("#fronts .js-plotly-plot").first.wait_for()
    assert "equal in 18" in page.locator("header").inner_text()


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
