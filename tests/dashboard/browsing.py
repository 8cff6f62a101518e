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
def ended(process: subprocess.Popen):
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def dashboard(runs: Path):
    """The command as a process of its own; its address."""
    command = [sys.executable, "-m", "xorjax.cli", "dashboard", str(runs), "--port", "0", "--json"]
    with ended(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]


@contextmanager
def launched():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Seen:
    """What a page wrote to its console, what it asked for, how often it was loaded."""

    def __init__(self, page):
        self.console, self.addresses, self.loads = [], set(), 0
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.addresses.add(request.url))
        page.on("load", lambda page: self._loaded())

    def _loaded(self):
        self.loads += 1

    def check(self, url: str) -> None:
        assert self.console == []
        assert {address for address in self.addresses if not address.startswith((url, "data:"))} == set()
        assert self.loads == 1


@contextmanager
def opened(runs: Path, browser, **settings):
    """The page of the dashboard of `runs`; when the block ends, it had written nothing and asked nobody else."""
    with dashboard(runs) as url:
        page = browser.new_page(**settings)
        seen = Seen(page)
        page.goto(url)
        yield page
        seen.check(url)


def wait_for(page, condition: str, seconds: float = 30) -> None:
    """Not playwright's own waiting: it evaluates in the page, which the page's policy forbids."""
    for _ in range(round(10 * seconds)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"not so after {seconds} s: {condition}; {page.locator('#summary').text_content()}")


def states(word: str) -> str:
    return f"[...document.querySelectorAll('#points td.state')].filter((c) => c.textContent.includes('{word}')).length"
