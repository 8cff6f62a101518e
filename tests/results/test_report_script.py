import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import make_row, write_report

SCRIPT = Path(__file__).parents[2] / "scripts" / "report.py"
REPORT = "reports/lenet_sweep/report.html"
PLAN = "expected the directory of a report, which holds its plan.json"


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)


def make_reports(directory: Path, *names: str) -> None:
    for name in names:
        write_report(directory / name, [make_row()])


@pytest.mark.parametrize(
    ("variable", "arguments", "built"),
    [
        ("", (), "runs"),
        ("elsewhere", (), "elsewhere"),
        ("elsewhere", ("runs/reports/lenet_sweep",), "runs"),
    ],
)
def test_every_experiment_of_the_runs_directory_or_just_the_one_named(
    tmp_path, monkeypatch, variable, arguments, built
):
    """The runs directory is the one of the environment; an empty variable is as one that is not set."""
    monkeypatch.setenv("XORJAX_RUNS", variable)
    make_reports(tmp_path, "runs", "elsewhere")
    finished = run(tmp_path, *arguments)
    assert (finished.returncode, finished.stdout.strip()) == (0, f"{built}/{REPORT}"), finished.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no experiment below runs/reports"),
        (("no",), f"no: {PLAN}"),
        (("notes.txt",), f"notes.txt: {PLAN}"),
        (("compare-a-b.html",), "no experiment among those named"),
        (("--compare", "a", "no"), f"no: {PLAN}"),
        (("--compare", "a", "b", "--to", "no/page.html"), "no/"),
        (("--compare", "a", "b", "--to", "pipe"), "pipe: it is a pipe, expected the name of a file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, arguments, message):
    make_reports(tmp_path, "a", "b")
    for name in ("notes.txt", "compare-a-b.html"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe")
    places = [f"{name}/reports/lenet_sweep" if name in ("a", "b") else name for name in arguments]
    finished = run(tmp_path, *places)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert message in line
    assert (tmp_path / "pipe").is_fifo()


def test_two_experiments_are_compared_on_the_terminal_and_a_page(tmp_path):
    make_reports(tmp_path, "a", "b")
    (tmp_path / "reports").mkdir()
    for name, place in (("one", "a"), ("other", "b")):
        (tmp_path / place / "reports" / "lenet_sweep").rename(tmp_path / "reports" / name)
    finished = run(tmp_path, "--compare", "reports/one", "reports/other")
    assert finished.returncode == 0, finished.stderr
    assert "all pairs" in finished.stdout
    assert finished.stdout.splitlines()[-1] == "reports/compare-one-other.html"
    # The page is no report.
    finished = run(tmp_path, *sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("reports/*")))
    assert finished.stdout.split() == ["reports/one/report.html", "reports/other/report.html"], (
        finished.stderr
    )
