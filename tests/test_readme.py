"""The Python of README.md and docs/method.md prints what they say; the README's blocks are one program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^    (?:import|from) .*\n(?:    .*\n|\n(?=    ))*", re.MULTILINE)


def blocks(text):
    return [re.sub("^    ", "", block[0], flags=re.MULTILINE) for block in BLOCK.finditer(text)]


def run(program, where, *options):
    done = subprocess.run(
        [sys.executable, *options, "-c", program], cwd=where, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("options", [(), ("-OO",)], ids=str)
def test_the_readme(tmp_path, options):
    of_readme = blocks((ROOT / "README.md").read_text())
    assert len(of_readme) == 3
    program = "".join(of_readme)
    *printed, found = run(program, tmp_path, *options)
    *exact, bits = re.findall(r"print\(.*\) +# (?:about )?(\([^)]*\)|[\d.]+)", program)
    assert printed == exact == ["(1, 500)", "0.0"]
    assert bits == f"{float(found):.3f}"


def test_the_memory_of_coded_weights(tmp_path):
    section = (ROOT / "docs" / "method.md").read_text().partition("\n### Memory\n")[2].partition("\n### ")[0]
    (program,) = blocks(section)
    rows = re.findall(r"^\| (\d+, \d+) \| (\d+) \| (.+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    assert [f"({shape}) {n_in} {' '.join(sizes)}" for shape, n_in, *sizes in rows] == run(program, tmp_path)
