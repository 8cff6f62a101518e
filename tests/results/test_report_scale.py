"""A report of as many points as a long search leaves."""

import json
import runpy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from synthetic import sweep, write_report

from xorjax.files import write_record
from xorjax.results.report import build_report

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "report_scale.py"


@pytest.fixture
def make(monkeypatch) -> Callable[[Path, Path, int], Path]:
    monkeypatch.syspath_prepend(BENCHMARK.parent)
    return partial(runpy.run_path(str(BENCHMARK))["make"], seed=0)


def templates(runs: Path, **of_sweep) -> Path:
    """A report whose points are as the pipeline writes them, each with its checksum."""
    report_dir = write_report(runs, sweep(runs, **of_sweep))
    for file in (report_dir / "points").iterdir():
        write_record(file, json.loads(file.read_text()))
    return report_dir


def test_the_benchmark_makes_points_that_a_report_is_built_of(make, tmp_path):
    real = templates(tmp_path / "real", n_seeds=1, methods=("minimum",))
    page = build_report(make(real, tmp_path / "made", 120))
    assert "120 of 120 points finished, none failed" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_ten_thousand_points_fit_a_page_that_can_be_filtered(opened, make, tmp_path):
    real = templates(tmp_path / "real", methods=("minimum", "greedy"))
    path = build_report(make(real, tmp_path / "made", 10_000))
    assert path.stat().st_size <= 8.4e6
    page = opened(path)
    all_of_them = "10,000 of 10,000 points and 600 of 600 results of other codecs."
    assert page.locator("#shown").inner_text() == all_of_them
    page.locator("#filters input[name=S][value='0.95']").check()
    page.locator("#filters input[name=n_in][value='64']").check()
    assert page.locator("#shown").inner_text().startswith("100 of 10,000 points")
    page.locator("#rows th button", has_text="bits_per_weight").click()
    assert page.locator("#rows tbody tr").count() == 100
