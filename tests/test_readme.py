"""The README's Python does what its comments say: its blocks run in their order, as one program."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCK = re.compile(r"^    (?:import|from) .*\n(?:    .*\n|\n(?=    ))*", re.MULTILINE)


def test_its_python_prints_what_it_says(tmp_path):
    blocks = [re.sub("^    ", "", block[0], flags=re.MULTILINE) for block in BLOCK.finditer(README)]
    assert len(blocks) == 3
    done = subprocess.run(
        [sys.executable, "-c", "".join(blocks)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *exact, bits = re.findall(r"print\(.*\) +# (?:about )?(\([^)]*\)|[\d.]+)", "".join(blocks))
    *printed, found = done.stdout.splitlines()
    assert printed == exact == ["(1, 500)", "0.0"]
    assert bits == f"{float(found):.3f}".removeprefix("0")
