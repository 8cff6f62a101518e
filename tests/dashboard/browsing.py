"""A real browser on a dashboard of its own process."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def ended(command: list[str], **settings):
    """A process of its own, killed at the end."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, **settings)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def dashboard(runs: Path, port: str = "0"):
    """The command; its address."""
    command = ["-m", "xorjax.cli", "dashboard", str(runs), "--port", port, "--json"]
    with ended(command, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())["url"]


@contextmanager
def launched():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(runs: Path, browser, view: str = "", **settings):
    """The page of the dashboard of `runs`; when the block ends, it had written nothing and asked nobody else."""
    console, addresses = [], set()
    with dashboard(runs) as url:
        page = browser.new_page(**settings)
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.on("request", lambda request: addresses.add(request.url))
        page.goto(url + view)
        page.evaluate("window.same = true")
        yield page
        assert page.evaluate("window.same") is True
        assert console == []
        assert [address for address in addresses if not address.startswith((url, "data:"))] == []
        page.close()


def wait_for(page, condition, seconds: float = 30) -> None:
    """Until a function of the page is true. Not playwright's own waiting: the page's policy forbids its evaluation."""
    for _ in range(round(10 * seconds)):
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail(f"not so after {seconds} s; the page says {page.locator('main').inner_text()[:1000]}")
