"""A run directory whose name no library could write below is refused by whatever takes one, before any work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xorjax.files import check_name, is_utf8

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("train.py", "+debug=quick"), 2),
        (("train.py", "+experiment=lenet_smoke"), 2),
        (("search.py", "+experiment=lenet_search", "--trials", "1"), 2),
        (("slurm.py", "--cluster", "local", "--jobs", "1"), 2),
        (("reproduce.py", "lenet_sweep", "--runs", "{runs}"), 2),
        (("report.py", "{runs}/reports/tiny"), 1),
        (("report.py", "--compare", "here", "{runs}/reports/tiny"), 1),
        (("-m", "xorjax.cli", "dashboard", "--port", "0"), 1),
    ],
)
def test_a_name_that_is_no_utf8(tmp_path, command, code):
    runs = os.fsencode(tmp_path) + b"/a\xff"
    words = [word.replace("{runs}", os.fsdecode(runs)) for word in command]
    if words[0] != "-m":
        words[0] = str(SCRIPTS / words[0])
    done = subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"XORJAX_RUNS": os.fsdecode(runs)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = [line for line in done.stderr.splitlines() if "usage:" not in line and line[0] != " "]
    assert "UTF-8" in line
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems have no such names")
def test_a_relative_name_is_where_it_lies(tmp_path, monkeypatch):
    check_name(tmp_path / "ä")
    (there := tmp_path / os.fsdecode(b"a\xff")).mkdir()
    monkeypatch.chdir(there)
    with pytest.raises(OSError, match="its absolute name is no UTF-8"):
        check_name(Path("runs"))
    assert is_utf8("runs")
