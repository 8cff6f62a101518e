"""The dashboard in a real browser: it fills, follows, shows failures and the report, and asks nobody else."""

import os
import re
import subprocess

import pytest
from browsing import CHROMIUM, dashboard, ended, launched, opened, wait_for
from run_files import RunFiles

from xorjax.results.page import document

SWEEP = ["scripts/train.py", "+experiment=lenet_smoke", "+debug=quick", "code.n_in=12", "prune.rate=0.9"]
# A sweep takes half a minute where it is alone.
SECONDS = 300

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")]


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def files(tmp_path):
    files = RunFiles(tmp_path / "runs", 30)
    files.plan()
    files.make_shared()
    for i in range(12):
        files.make_point(i)
    return files


def wait_until_it_says(page, *words: str, seconds: float = 30) -> None:
    wait_for(page, lambda: all(word in page.locator("main").inner_text() for word in words), seconds)


def rows(page, word: str = "") -> int:
    found = page.get_by_role("region", name="Points").get_by_role("row").filter(has_text=word).count()
    return found - (word == "")


# Keeps what is typed into it in its address, as the real one does.
SCRIPT = """
const box = document.querySelector("#box");
const read = () => { box.value = decodeURIComponent(location.hash.slice(1)); };
box.addEventListener("input", () => history.replaceState(null, "", "#" + box.value));
addEventListener("hashchange", read);
read();
"""


def write_report(files: RunFiles, words: str) -> None:
    body = f'<h1>{words}</h1><input id="box" aria-label="S"><div style="height:3000px"></div><p>the end</p>'
    (files.report / "report.html").write_text(document("sweep", body, [SCRIPT]))


def test_a_real_sweep_is_followed_from_an_empty_directory_with_its_failure_and_its_report(tmp_path, browser):
    runs = tmp_path / "runs"
    command = [*SWEEP, "quantize.optim.learning_rate=0.001,1e30"]
    environment = {**os.environ, "XORJAX_RUNS": str(runs)}
    with opened(runs, browser) as page:
        wait_until_it_says(page, "does not exist yet")
        with ended(command, env=environment, stderr=subprocess.DEVNULL) as sweep:
            running = page.get_by_role("region", name="What is running").get_by_role("row")
            wait_for(page, lambda: running.count() > 1, SECONDS)
            wait_until_it_says(page, "Failures", "not finite", seconds=SECONDS)
            assert sweep.wait(SECONDS) == 2
        wait_until_it_says(page, "1 of 2 points finished, 1 failed")
        assert (rows(page, "finished"), rows(page, "failed")) == (1, 1)
        wait_for(page, lambda: page.locator("#curves .js-plotly-plot").count() == 2)
        page.get_by_role("link", name="Results").click()
        report = page.frame_locator("iframe")
        report.get_by_role("heading", level=1).wait_for()
        for name in ("results.csv", "results.parquet"):
            with page.expect_download() as download:
                report.get_by_role("link", name=name).click()
            assert download.value.suggested_filename == name
        assert page.locator("iframe").bounding_box()["height"] > 2000


def test_what_the_user_chose_stays_when_news_come_and_messages_are_texts(files, browser):
    RunFiles(files.runs, 2, "other").plan()
    with opened(files.runs, browser) as page:
        page.get_by_role("link", name=re.compile("^sweep")).click()
        wait_until_it_says(page, "12 of 30 points finished")
        page.get_by_label("filter").fill("n_out 20")
        wait_for(page, lambda: rows(page) == 10)
        page.get_by_role("button", name="n_out 203,").focus()
        page.keyboard.press("Enter")
        copy = page.get_by_role("button", name="Copy: run evaluate3-sweep")
        assert copy.is_visible()
        message = "<img src=x onerror=alert(1)> ValueError"
        files.point(12, "failed", message)
        files.make_point(13)
        wait_until_it_says(page, "13 of 30 points finished, 1 failed", message)
        assert page.locator("img").count() == 0
        assert rows(page, "finished") == 10
        assert "n_out 203" in page.evaluate("document.activeElement.textContent")
        assert copy.is_visible()
        page.get_by_label("finished").uncheck()
        wait_for(page, lambda: rows(page) == 0)


def test_the_report_is_shown_whole_and_follows_keeping_view_scroll_and_theme(files, browser):
    with opened(files.runs, browser, "#sweep/results", color_scheme="light") as page:
        wait_until_it_says(page, "no report yet")
        write_report(files, "first")
        report = page.frame_locator("iframe:not(.coming)")
        report.get_by_role("heading", name="first").wait_for()
        height = page.evaluate("document.documentElement.scrollHeight")
        assert 3000 < report.get_by_text("the end").bounding_box()["y"] < height
        report.get_by_role("textbox").fill("0.9")
        page.mouse.move(700, 600)
        page.evaluate("scrollTo(0, 1500)")
        page.mouse.down()
        write_report(files, "second")
        page.wait_for_timeout(4000)
        assert report.get_by_role("heading", name="first").count() == 1
        page.mouse.up()
        report.get_by_role("heading", name="second").wait_for()
        assert report.get_by_role("textbox").input_value() == "0.9"
        report.get_by_role("textbox").fill("0.95")
        page.evaluate("scrollTo(0, 1500)")
        write_report(files, "third")
        report.get_by_role("heading", name="third").wait_for()
        assert report.get_by_role("textbox").input_value() == "0.95"
        assert report.locator(":focus").get_attribute("id") == "box"
        assert page.evaluate("scrollY") == 1500
        page.evaluate("scrollTo(0, 0)")
        page.get_by_role("button", name="Switch to the dark theme").click()
        colour = "(body) => getComputedStyle(body).backgroundColor"
        inner, outer = report.locator("body"), page.locator("body")
        wait_for(page, lambda: inner.evaluate(colour) == outer.evaluate(colour) != "rgb(255, 255, 255)")
        page.get_by_role("link", name="Live").click()
        wait_for(page, lambda: rows(page) == 30)
        assert page.locator("iframe").is_hidden()
        page.go_back()
        wait_for(page, lambda: report.get_by_text("the end").is_visible())


@pytest.mark.parametrize("address", ["#%", "#%E0%A4%A", "#%/results"])
def test_an_address_that_cannot_be_decoded_leaves_the_page_alive(files, browser, address):
    with opened(files.runs, browser, address) as page:
        wait_until_it_says(page, "12 of 30")
        page.evaluate("location.hash = '#%'")
        files.point(13, "failed", "no")
        wait_until_it_says(page, "1 failed")


def test_thousands_of_points_are_filtered(tmp_path, browser):
    files = RunFiles(tmp_path / "runs", 4000)
    files.plan()
    files.make_shared()
    for i in range(3500):
        files.point(i)
    with opened(files.runs, browser, "#sweep/live") as page:
        wait_until_it_says(page, "3500 of 4000", seconds=60)
        assert rows(page) == 200
        page.get_by_label("filter").fill("n_out 3650,")
        wait_for(page, lambda: rows(page) == 1)
        files.point(3600, "failed", "ValueError: one of many")
        wait_until_it_says(page, "one of many")


def test_a_dashboard_that_ended_is_noticed_and_found_again(files, browser):
    page = browser.new_page()
    status = page.get_by_role("banner").get_by_role("status")
    with dashboard(files.runs) as url:
        page.goto(url)
        wait_for(page, lambda: status.inner_text() == "live")
        page.evaluate("window.same = true")
    wait_for(page, lambda: "no answer" in status.inner_text())
    with dashboard(files.runs, url.rstrip("/").rpartition(":")[2]):
        files.point(13, "failed", "no")
        wait_until_it_says(page, "1 failed")
        assert page.evaluate("window.same") is True


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1024), ("light", 390)])
def test_nothing_is_wider_than_the_window_and_text_stands_out(files, browser, scheme, width):
    write_report(files, "results")
    files.fail("encode", "encode20-sweep", "ValueError: no")
    files.begin("encode", "encode21-sweep")
    with opened(files.runs, browser, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        wait_until_it_says(page, "1 failed", "1 running")
        for view in ("Results", "Live"):
            page.get_by_role("link", name=view, exact=True).click()
            page.wait_for_timeout(1000)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(POOR_CONTRAST) == []
        for chip in page.get_by_role("list", name="Key").locator(".bar").all():
            assert chip.locator("i").bounding_box()["width"] == chip.bounding_box()["width"] > 20
        page.get_by_role("link", name="Skip").press("Enter")
        assert page.locator(":focus").get_attribute("id") == "main"


# Texts whose contrast with what is behind them is below WCAG's 4.5 to 1.
POOR_CONTRAST = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    const { backgroundColor } = getComputedStyle(node);
    return (parts(backgroundColor)[3] ?? 1) > 0 ? backgroundColor : behind(node.parentElement);
  };
  return [...document.querySelectorAll("body *")].filter((node) => node.offsetParent && !node.closest("svg, .skip")
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())).filter((node) => {
    const [low, high] = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05) < 4.5;
  }).map((node) => node.textContent);
}"""
