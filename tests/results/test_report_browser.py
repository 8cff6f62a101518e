"""The report in a real browser: it opens from disk, draws its figures, reports no error and asks nobody."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from synthetic import make_failure, make_point, make_row, sweep, write_report

from xorjax.results.report import build_report

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
# Whatever the flags say, the browser itself tries to call home (in vain, as no name resolves).
FROM_THE_BROWSER = "not an origin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]


def open_page(page: Path, scratch: Path) -> tuple[str, list[str], set[str]]:
    """The document after its scripts ran, what it wrote to the console, and the addresses it asked for."""
    log_path = scratch / "net.json"
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={log_path}"]
    finished = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    console = [line for line in finished.stderr.splitlines() if "CONSOLE" in line]
    log = json.loads(log_path.read_text(encoding="utf-8"))
    started = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event.get("params", {}) for event in log["events"] if event["type"] == started]
    addresses = {r["url"] for r in requests if "url" in r and r.get("initiator") != FROM_THE_BROWSER}
    return finished.stdout, console, {url for url in addresses if not url.startswith(("file:", "data:"))}


def test_a_whole_sweep_draws_every_figure(tmp_path):
    report_dir = write_report(tmp_path / "runs", sweep(tmp_path / "runs"))
    document, console, addresses = open_page(build_report(report_dir), tmp_path)
    assert console == []
    assert addresses == set()
    assert document.count('class="plot js-plotly-plot"') == 22
    assert document.count('<svg class="main-svg"') >= 22
    assert document.count("<path") > 100
    assert document.count("<tr>") > 90


def test_a_click_on_a_heading_sorts_all_rows(tmp_path):
    points = [make_point(f"p{i}", [make_row(n_out=n_out)]) for i, n_out in enumerate([320, 96, 1280, 200])]
    page = build_report(write_report(tmp_path / "runs", points))
    click = """
        <script>
        const heading = [...document.querySelectorAll("#rows th")].find((th) => th.textContent === "n_out");
        for (const order of ["ascending", "descending"]) {
          heading.click();
          const column = [...document.querySelectorAll("#rows tbody tr")].map((tr) => tr.cells[heading.cellIndex]);
          document.body.dataset[order] = column.map((cell) => cell.textContent);
        }
        </script>
    """
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", click + "</body>"), encoding="utf-8")
    document, console, _ = open_page(page, tmp_path)
    assert console == []
    assert 'data-ascending="96,200,320,1280"' in document
    assert 'data-descending="1280,320,200,96"' in document


@pytest.mark.parametrize("n_done", [0, 1, 2])
def test_partial_sweeps_open_without_an_error(tmp_path, n_done):
    points = [make_point("a", [make_row()]), make_failure("b", "broken")][:n_done]
    report_dir = write_report(tmp_path / "runs", points, planned=["a", "b", "c"])
    document, console, addresses = open_page(build_report(report_dir), tmp_path)
    assert console == []
    assert addresses == set()
    assert (document.count("js-plotly-plot") > 0) == (n_done > 0)
    assert f"{n_done} of 3 points finished" in document


def test_an_outside_request_and_an_error_would_be_seen(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/image.png"><script>undefinedName()</script>')
    _, console, addresses = open_page(page, tmp_path)
    assert any("undefinedName" in line for line in console)
    assert addresses == {"http://127.0.0.1:9/image.png"}
