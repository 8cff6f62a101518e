"""What the page looks like in a real browser: its figures, its table, its words, at all widths."""

import json

import pytest
from browsing import CHROMIUM, dashboard, launched, opened, states, wait_for
from run_files import RunFiles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]

PLOT = "document.querySelector('#pareto .plot')"
FRONT = f"{PLOT}.data.find((trace) => trace.name === 'front')"


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


def width_of(selector: str) -> str:
    return f"document.querySelector('{selector}').getBoundingClientRect().width"


def hover(page, mark) -> None:
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_for(page, "!document.querySelector('#pareto .tip').hidden")


def finish(files: RunFiles, i: int, rate: float, seed: int, bits: float, validation: float) -> None:
    """Point i, of 1000 validation images."""
    config = {"data": {"n_validation": 1000}}
    row = {"baseline": False, "n_weights": 100, "bits_per_weight": bits, "prune_rate": rate, "seed": seed}
    row |= {"validation_metric": validation, "test_metric": 0.97, "n_test": 2000}
    row |= {"metric": "accuracy", "metric_unit": "%", "higher_is_better": True}
    row |= {"reference_validation_metric": 0.98, "reference_metric": 0.98, "dense_metric": 0.975}
    files.point(i, rows=[row], config=config)


@pytest.fixture
def seeds(tmp_path):
    """Two settings of three seeds: one seed of the smaller one is lucky, its mean is the lower."""
    files = RunFiles(tmp_path / "runs", 6)
    files.plan([{"prune.rate": rate, "seed": seed} for rate in (0.95, 0.9) for seed in range(3)])
    files.make_shared()
    for seed, (small, large) in enumerate(((0.976, 0.98), (0.982, 0.98), (0.976, 0.98))):
        finish(files, seed, 0.95, seed, 0.35 + seed / 1000, small)
        finish(files, 3 + seed, 0.9, seed, 0.6, large)
    return files


def test_a_mark_is_a_mean_over_seeds_and_so_is_the_front(seeds, browser):
    with opened(seeds.runs, browser) as page:
        wait_for(page, f"{states('finished')} === 6 && {PLOT}.data !== undefined")
        front = page.evaluate(FRONT)
        assert front["x"] == pytest.approx([0.351, 0.6])
        assert front["y"] == pytest.approx([97.8, 98.0])
        marks = page.evaluate(
            f"{PLOT}.data.filter((trace) => trace.hoverinfo === 'none').map(({{ x }}) => x)"
        )
        assert [len(x) for x in marks] == [1, 1]
        reference = page.evaluate(f"{PLOT}.layout.shapes")
        assert [(line["xref"], line["x0"], line["x1"], line["y0"]) for line in reference] == [
            ("paper", 0, 1, 98)
        ]
        assert reference[0]["line"]["color"] != front["line"]["color"]
        # A click leaves the points of the setting, the first one open.
        hover(page, page.locator("#pareto .trace path.point").last)
        page.mouse.down()
        page.mouse.up()
        wait_for(page, "document.querySelectorAll('#points tr.detail').length === 1")


def test_little_makes_no_drama(tmp_path, browser):
    """One setting: its front is seen, its ticks differ, and half a percent of 1000 images is the least span."""
    files = RunFiles(tmp_path / "runs", 1)
    files.plan()
    files.make_shared()
    finish(files, 0, 0.9, 0, 0.6005, 0.98)
    with dashboard(files.runs) as url:
        page = browser.new_page()
        page.goto(url)
        wait_for(page, f"{states('finished')} === 1 && {PLOT}.data !== undefined")
        assert "markers" in page.evaluate(FRONT)["mode"]
        low, high = page.evaluate(f"{PLOT}._fullLayout.yaxis.range")
        assert high - low == pytest.approx(0.5)
        for axis in "xy":
            ticks = page.locator(f"#pareto .{axis}tick").all_text_contents()
            assert len(set(ticks)) == len(ticks) > 1
            assert all(len(tick.partition(".")[2]) == 2 for tick in ticks)


def test_the_page_of_an_empty_directory_has_the_whole_width(tmp_path, browser):
    with dashboard(tmp_path / "runs") as url:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        wait_for(page, "document.querySelector('#nothing h1').textContent !== ''")
        assert page.evaluate(width_of("main")) > 1400
        assert page.evaluate("document.querySelector('nav').hidden")


@pytest.fixture
def failed(tmp_path):
    """The second of two points failed where it was encoded; the first is finished."""
    files = RunFiles(tmp_path / "runs")
    files.plan()
    record = json.loads((files.report / "plan.json").read_text())
    record["details"][files.points[1]]["title"] += ", quantize.optim.learning_rate=1e+18"
    files.write(files.report / "plan.json", record)
    files.make_shared()
    files.make_point(0)
    files.begin("encode", "encode1-sweep")
    files.event("failed", "encode", "encode1-sweep", error="ValueError: no")
    files.fail_point(1, "ValueError: no")
    return files


def test_what_is_blocked_says_so_and_the_bar_shows_what_is_made(failed, browser):
    with opened(failed.runs, browser) as page:
        wait_for(page, f"{states('failed')} === 1")
        assert "5 of 7 stages made, 1 failed, 1 blocked" in page.locator("#summary").inner_text()
        made = page.evaluate(f"{width_of('#bar .done')} / {width_of('#bar')}")
        assert made == pytest.approx(5 / 7, abs=0.01)
        sign = page.locator("#points .stage.blocked")
        assert sign.inner_text() == "⊘"
        assert "blocked by encode encode1-sweep, which failed" in sign.get_attribute("title")
        assert page.locator("#idle").is_hidden()
        words = page.locator("#key").inner_text()
        for word in ("made", "running", "stopped", "failed", "blocked", "waiting"):
            assert word in words


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_results_are_beside_the_title_at_any_width(failed, browser, width):
    with dashboard(failed.runs) as url:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(url)
        wait_for(page, f"{states('failed')} === 1")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heads = page.locator("#points th").all_text_contents()
        assert heads[:4] == ["point", "bits/weight", "validation (%)", "test (%)"]
        right = "getBoundingClientRect().right"
        if width > 1000:
            assert page.evaluate(
                f"document.querySelector('#points th:nth-child(4)').{right} "
                f"<= document.querySelector('#points .scroll').{right}"
            )
        left = "document.querySelector('#points td.title').getBoundingClientRect().left"
        before = page.evaluate(left)
        page.evaluate("document.querySelector('#points .scroll').scrollLeft = 300")
        assert page.evaluate(left) == before


def test_curves_of_one_name_are_told_apart_and_one_epoch_has_an_axis(tmp_path, browser):
    files = RunFiles(tmp_path / "runs")
    files.plan()
    record = json.loads((files.report / "plan.json").read_text())
    name = "lenet5-mnist-seed0-S0.9-q1-"
    stages = [{"kind": "quantize", "name": name + digit * 10, "epochs": 1} for digit in "ab"]
    for i, (point, word) in enumerate(zip(files.points, ("adam", "sgd"), strict=True)):
        detail = {"title": f"S 0.9, seed 0, quantize.optim.name={word}", "command": "", "stages": [i]}
        record["details"][point] = detail
    files.write(files.report / "plan.json", record | {"stages": stages})
    for stage in stages:
        files.epochs(files.begin("quantize", stage["name"]), 1)
        files.finish("quantize", stage["name"])
    with dashboard(files.runs) as url:
        page = browser.new_page()
        page.goto(url)
        wait_for(page, "document.querySelectorAll('#curves .legend li').length === 2")
        names = page.locator("#curves .legend li").all_text_contents()
        assert [name.rpartition("optim.name=")[2] for name in names] == ["sgd", "adam"]
        assert page.evaluate("document.querySelector('#curves .plot')._fullLayout.xaxis.range") == [0.5, 1.5]
        assert page.locator("#curves .xtick").all_text_contents() == ["1"]
        assert page.locator("#curves .ytitle").text_content() == "validation accuracy (%)"
        plot = page.evaluate("document.querySelector('#curves .plot')._fullLayout._size.h")
        assert plot > 0.7 * page.evaluate("document.querySelector('#curves .figure').offsetHeight")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_hover_box_has_two_lines_within_its_figure(seeds, browser, width):
    with opened(seeds.runs, browser, viewport={"width": width, "height": 900}) as page:
        wait_for(page, f"{states('finished')} === 6 && {PLOT}.data !== undefined")
        marks = page.locator("#pareto .trace path.point")
        for i in (marks.count() - 2, marks.count() - 1):
            hover(page, marks.nth(i))
            lines = page.locator("#pareto .tip > *").all_text_contents()
            assert len(lines) == 2
            assert "mean over 3 seeds" in lines[0]
            assert "validation" in lines[1]
            assert "run " not in lines[0] + lines[1]
            tip = page.locator("#pareto .tip").bounding_box()
            figure = page.locator("#pareto .figure").bounding_box()
            assert figure["x"] <= tip["x"]
            assert tip["x"] + tip["width"] <= figure["x"] + figure["width"] + 0.5
            assert figure["y"] <= tip["y"]
            assert tip["y"] + tip["height"] <= figure["y"] + figure["height"] + 0.5
            assert tip["height"] < 55
            legend = page.locator("#pareto .legend").bounding_box()
            assert legend["y"] + legend["height"] <= tip["y"]


def test_the_theme_follows_the_system_until_it_is_chosen(failed, browser):
    with opened(failed.runs, browser, color_scheme="dark") as page:
        wait_for(page, f"{PLOT}.data !== undefined")
        colour = "getComputedStyle(document.body).backgroundColor"
        dark, drawn = page.evaluate(colour), page.evaluate(f"{PLOT}.data.at(-1).marker.color")
        page.get_by_role("button", name="Switch to the light theme").click()
        assert page.evaluate(colour) == "rgb(255, 255, 255)" != dark
        assert page.evaluate(f"{PLOT}.data.at(-1).marker.color") != drawn
