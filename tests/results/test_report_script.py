import os
import subprocess
import sys
from pathlib import Path

from synthetic import make_point, make_row, write_report

SCRIPT = Path(__file__).parents[2] / "scripts" / "report.py"


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)


def test_every_experiment_is_found_or_just_the_one_named(tmp_path):
    report_dir = write_report(tmp_path / "runs", [make_point("a", [make_row()])])
    for arguments in ((), ("runs/reports/lenet_sweep",)):
        finished = run(tmp_path, *arguments)
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.strip() == "runs/reports/lenet_sweep/report.html"
        (report_dir / "report.html").unlink()


def test_the_runs_directory_is_the_one_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XORJAX_RUNS", "elsewhere")
    write_report(tmp_path / "elsewhere", [make_point("a", [make_row()])])
    assert run(tmp_path).stdout.strip() == "elsewhere/reports/lenet_sweep/report.html"


def test_a_place_that_is_not_there_is_refused_in_one_line(tmp_path):
    one, other = (write_report(tmp_path / name, [make_point("a", [make_row()])]) for name in "ab")
    finished = run(tmp_path, "--compare", str(one), str(other), "--to", "no/page.html")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert "no/" in line


def test_a_page_takes_the_place_of_files_alone(tmp_path):
    one, other = (write_report(tmp_path / name, [make_point("a", [make_row()])]) for name in "ab")
    os.mkfifo(tmp_path / "pipe")
    finished = run(tmp_path, "--compare", str(one), str(other), "--to", "pipe")
    assert finished.returncode == 1
    assert finished.stderr == "pipe: it is a pipe, expected the name of a file\n"
    assert (tmp_path / "pipe").is_fifo()


def test_an_empty_variable_is_as_one_that_is_not_set(tmp_path, monkeypatch):
    monkeypatch.setenv("XORJAX_RUNS", "")
    write_report(tmp_path / "runs", [make_point("a", [make_row()])])
    assert run(tmp_path).stdout.strip() == "runs/reports/lenet_sweep/report.html"


def test_what_is_missing_is_said_in_one_line(tmp_path):
    for name in ("notes.txt", "compare-a-b.html"):
        (tmp_path / name).touch()
    for arguments, message in (
        ((), "no experiment below runs/reports"),
        (("no",), "no: expected the directory of a report, which holds its plan.json"),
        (("notes.txt",), "notes.txt: expected the directory of a report, which holds its plan.json"),
        (("compare-a-b.html",), "no experiment among those named"),
    ):
        finished = run(tmp_path, *arguments)
        assert finished.returncode == 1
        assert finished.stderr.strip() == message


def test_two_experiments_are_compared_on_the_terminal_and_a_page(tmp_path):
    for name in ("one", "other"):
        report_dir = write_report(tmp_path / "runs" / name, [make_point("a", [make_row()])])
        (tmp_path / "reports").mkdir(exist_ok=True)
        report_dir.rename(tmp_path / "reports" / name)
    finished = run(tmp_path, "--compare", "reports/one", "reports/other")
    assert finished.returncode == 0, finished.stderr
    assert "1 setting in common" in finished.stdout
    assert finished.stdout.splitlines()[-1] == "reports/compare-one-other.html"
    assert (tmp_path / "reports" / "compare-one-other.html").stat().st_size > 1e6
    finished = run(tmp_path, "--compare", "reports/one", "reports/no")
    assert finished.returncode == 1
    assert finished.stderr.startswith("reports/no: expected the directory of a report")
    finished = run(tmp_path, *sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("reports/*")))
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["reports/one/report.html", "reports/other/report.html"]
