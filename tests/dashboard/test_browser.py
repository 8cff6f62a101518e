"""The dashboard in a real browser while a real sweep runs: it fills, follows, shows a failure, and asks nobody else."""

import os
import subprocess
import sys

import pytest
from browsing import CHROMIUM, ROOT, Seen, dashboard, ended, launched, states, wait_for
from run_files import RunFiles

SWEEP = ["scripts/train.py", "+experiment=lenet_smoke", "+debug=quick"]
# A sweep takes half a minute where it is alone.
SECONDS = 300

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]


@pytest.fixture
def browser():
    with launched() as browser:
        yield browser


def test_a_real_sweep_is_followed_from_an_empty_directory(tmp_path, browser):
    runs = tmp_path / "runs"
    environment = {**os.environ, "XORJAX_RUNS": str(runs)}
    with dashboard(runs) as url:
        page = browser.new_page()
        seen = Seen(page)
        page.goto(url)
        wait_for(page, "document.querySelector('#nothing h1').textContent.includes('does not exist yet')")
        sweep = subprocess.Popen(
            [sys.executable, *SWEEP], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        )
        with ended(sweep):
            wait_for(page, "document.querySelector('#working tbody tr') !== null", SECONDS)
            assert page.locator("#experiment h1").inner_text() == "debug"
            wait_for(page, f"{states('finished')} >= 1", SECONDS)
            finished = page.evaluate(states("finished"))
            assert page.locator("#points tbody tr").count() == 4
            wait_for(page, f"{states('finished')} > {finished}", SECONDS)
            wait_for(page, f"{states('finished')} === 4", SECONDS)
            assert sweep.wait(60) == 0
        wait_for(page, "document.querySelector('#working').hidden")
        assert "4 of 4 points finished" in page.locator("#summary").inner_text()
        marks = "document.querySelector('#pareto .plot').data.filter((trace) => trace.hoverinfo === 'none')"
        assert page.evaluate(f"{marks}.flatMap(({{ x }}) => x).length") == 4
        assert page.locator("#curves .scatterlayer path.js-line").count() >= 4
        seen.check(url)


def test_a_real_failure_is_shown_as_it_happens(tmp_path, browser):
    runs = tmp_path / "runs"
    environment = {**os.environ, "XORJAX_RUNS": str(runs)}
    command = [
        sys.executable,
        *SWEEP,
        "quantize.optim.learning_rate=0.001,1e30",
        "code.n_in=12",
        "prune.rate=0.9",
    ]
    with dashboard(runs) as url:
        page = browser.new_page()
        seen = Seen(page)
        page.goto(url)
        with ended(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)) as sweep:
            wait_for(page, "document.querySelector('#failures .failure pre') !== null", SECONDS)
            assert "not finite" in page.locator("#failures pre").inner_text()
            assert "1e30" in page.locator("#failures .command code").inner_text().lower().replace("+", "")
            # It is trained by the same settings as the quantized model, and before it.
            assert "reference" in page.locator("#failures small").inner_text()
            assert sweep.wait(SECONDS) == 2
        wait_for(page, f"{states('finished')} === 1 && {states('failed')} === 1")
        seen.check(url)


def drag(page, plot) -> None:
    """Over the middle of a plot."""
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    across, down = box["x"], box["y"]
    page.mouse.move(across + 0.4 * box["width"], down + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(across + 0.6 * box["width"], down + 0.6 * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)


def test_what_the_user_chose_stays_when_news_come(tmp_path, browser):
    files = RunFiles(tmp_path / "runs", 30)
    files.plan()
    files.make_shared()
    for i in range(12):
        files.make_point(i)
    RunFiles(files.runs, 2, "other").plan()
    with dashboard(files.runs) as url:
        page = browser.new_page()
        seen = Seen(page)
        page.goto(url)
        page.get_by_role("button", name="sweep").click()
        wait_for(page, f"{states('finished')} === 12")
        page.get_by_label("filter").fill("n_out 20")
        wait_for(page, "document.querySelectorAll('#points tbody tr').length === 10")
        title = page.get_by_role("button", name="n_out 203,")
        title.focus()
        page.keyboard.press("Enter")
        assert page.locator("#points tr.detail code").inner_text() == "run evaluate3-sweep"
        zoom = "document.querySelector('#pareto .plot')._fullLayout.xaxis.range"
        drag(page, page.locator("#pareto .plot"))
        zoomed = page.evaluate(zoom)
        assert zoomed[1] - zoomed[0] < 0.04
        files.fail_point(12, "<img src=x onerror=alert(1)> ValueError")
        wait_for(page, "!document.querySelector('#failures').hidden")
        assert page.locator("#failures pre").inner_text() == "<img src=x onerror=alert(1)> ValueError"
        assert page.locator("#failures img").count() == 0
        files.make_point(13)
        wait_for(page, "document.querySelector('#summary').textContent.startsWith('13 of 30')")
        assert page.evaluate(zoom) == zoomed
        assert page.locator("#points tbody tr:not(.detail)").count() == 10
        assert page.evaluate("document.activeElement.textContent").startswith("S 0.9, n_in 20, n_out 203")
        assert page.locator("#points tr.detail").count() == 1
        seen.check(url)


@pytest.mark.parametrize("address", ["#%", "#%E0%A4%A"])
def test_an_address_that_cannot_be_decoded_leaves_the_page_alive(tmp_path, browser, address):
    files = RunFiles(tmp_path / "runs")
    files.plan()
    with dashboard(files.runs) as url:
        page = browser.new_page()
        seen = Seen(page)
        page.goto(url + address)
        wait_for(page, "document.querySelector('#experiment h1').textContent === 'sweep'")
        page.evaluate("location.hash = '#%'")
        files.fail_point(0, "no")
        wait_for(page, f"{states('failed')} === 1")
        seen.check(url)


def test_the_front_is_found_by_validation_accuracy_whichever_is_drawn(tmp_path, browser):
    """The points are the better by validation the larger they are, and the worse by test."""
    files = RunFiles(tmp_path / "runs", 4)
    files.plan()
    files.make_shared()
    for i in range(4):
        layer = {"baseline": False, "n_weights": 100, "bits_per_weight": 0.2 + i / 10, "prune_rate": 0.9}
        layer |= {"validation_metric": 0.95 + i / 100, "test_metric": 0.99 - i / 100}
        files.point(i, rows=[layer])
    front = "document.querySelector('#pareto .plot').data.find((trace) => trace.name === 'front').x.length"
    with dashboard(files.runs) as url:
        page = browser.new_page()
        page.goto(url)
        wait_for(page, f"{states('finished')} === 4 && {front} === 4")
        page.locator("#split").select_option("test")
        assert page.locator("#pareto .ytitle").count() == 1
        assert page.evaluate(front) == 4


def test_thousands_of_points_are_filtered(tmp_path, browser):
    files = RunFiles(tmp_path / "runs", 4000)
    files.plan()
    files.make_shared()
    for i in range(3500):
        files.point(i)
    with dashboard(files.runs) as url:
        page = browser.new_page()
        seen = Seen(page)
        page.goto(url)
        wait_for(page, "document.querySelector('#summary').textContent.startsWith('3500 of 4000')", 60)
        assert page.locator("#points tbody tr").count() == 200
        page.get_by_label("filter").fill("n_out 3650,")
        wait_for(page, "document.querySelectorAll('#points tbody tr').length === 1")
        files.fail_point(3600, "ValueError: one of many")
        wait_for(page, "!document.querySelector('#failures').hidden")
        seen.check(url)


def test_a_dashboard_that_ended_is_noticed_and_found_again(tmp_path, browser):
    files = RunFiles(tmp_path / "runs")
    files.plan()
    page = browser.new_page()
    with dashboard(files.runs) as url:
        page.goto(url)
        wait_for(page, "document.querySelector('#connection').className === 'live'")
        page.evaluate("window.same = true")
    wait_for(page, "document.querySelector('#connection').className === 'lost'")
    port = url.rstrip("/").rpartition(":")[2]
    command = [sys.executable, "-m", "xorjax.cli", "dashboard", str(files.runs), "--port", port]
    with ended(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)):
        wait_for(page, "document.querySelector('#connection').className === 'live'")
        files.fail_point(0, "no")
        wait_for(page, f"{states('failed')} === 1")
        assert page.evaluate("window.same") is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_and_a_narrow_window(tmp_path, browser, scheme):
    files = RunFiles(tmp_path / "runs")
    files.plan()
    files.make_shared()
    files.make_point(0)
    with dashboard(files.runs) as url:
        page = browser.new_page(color_scheme=scheme, viewport={"width": 420, "height": 800})
        seen = Seen(page)
        page.goto(url)
        wait_for(page, f"{states('finished')} === 1")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        seen.check(url)
