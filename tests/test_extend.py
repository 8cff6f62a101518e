"""docs/extend.md does what it says: its own blocks, written to the files that they name, in a copy of the project."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^`(?P<file>[\w/.]+)`\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    uv run (?P<command>.*)$", re.MULTILINE)


def section(title):
    """The part of the page under a heading."""
    page = (ROOT / "docs" / "extend.md").read_text()
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(*titles):
    return {block["file"]: block["text"] for title in titles for block in BLOCK.finditer(section(title))}


def commands(title):
    return [match["command"] for match in COMMAND.finditer(section(title))]


class Copy:
    """A copy of the project, in which the page's files are written and its commands run."""

    def __init__(self, root):
        self.root = root
        for name in ("xorjax", "conf", "scripts", "hydra_plugins"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", root / "LICENSE")
        (root / "data").symlink_to(ROOT / "data")

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            assert not path.exists(), f"{name}: the page adds files and changes none"
            path.write_text(text)

    def run(self, command):
        program, *arguments = shlex.split(command)
        module = {"python": [], "xorjax": ["-m", "xorjax.cli"]}[program]
        done = subprocess.run(
            [sys.executable, *module, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def rows(self, report):
        """The rows of the points' own codes; all of them were evaluated from their files."""
        table = pl.read_parquet(self.root / "runs" / "reports" / report / "results.parquet")
        assert table["status"].to_list() == ["ok"] * len(table)
        own = table.filter(~pl.col("baseline"))
        assert own["lossless"].to_list() == [True] * len(own)
        return own


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_a_model_is_a_file_of_eighty_lines():
    (python, yaml) = blocks("A model").items()
    assert python[0].endswith(".py")
    assert yaml[0].endswith(".yaml")
    assert len(python[1].splitlines()) <= 80


@pytest.mark.parametrize("title", ["A code", "A mask codec"])
def test_others_are_a_file_and_its_yaml(title):
    assert [Path(file).suffix for file in blocks(title)] == [".py", ".yaml"]


@pytest.mark.slow
def test_a_model(copy):
    copy.write(blocks("A model"))
    plain, by_layer = commands("A model")
    copy.run(plain)
    rows = copy.rows("small_resnet")
    layers = {f"block{i}/{layer}" for i in (1, 2) for layer in ("conv1", "conv2", "shortcut")}
    assert set(rows["layer"]) == layers
    assert set(rows["prune_rate"]) == {0.8}
    copy.run(by_layer)
    rows = copy.rows("small_resnet").filter(pl.col("n_in") == 12)
    assert set(rows["layer"]) == {"block1/shortcut", "block2/shortcut"}
    assert set(rows["prune_rate"]) == {0.5}


@pytest.mark.slow
def test_a_code_and_a_mask_codec(copy):
    copy.write(blocks("A code", "A mask codec"))
    for command in commands("A code"):
        copy.run(command)
    rows = copy.rows("deflate")
    assert set(rows.select("code", "mask_codec", "n_in").rows()) == {("deflate", "deflate", None)}
    params = {"fc1/kernel": np.random.default_rng(0).normal(size=(64, 48)).astype(np.float32)}
    save_file(params, copy.root / "model.safetensors")
    inspect, compress = commands("A mask codec")
    assert "deflate" in copy.run(inspect)
    copy.run(compress)
    copy.run("xorjax verify small.xorjax")
    assert "--level" in copy.run("xorjax compress --help")


@pytest.mark.slow
def test_a_task(copy):
    copy.write(blocks("A task"))
    (command,) = commands("A task")
    copy.run(command)
    rows = copy.rows("characters")
    assert set(rows["metric"]) == {"perplexity"}
    assert set(rows["higher_is_better"]) == {False}
    assert set(rows["layer"]) == {"lstm/cell/dense_i", "lstm/cell/dense_h"}
    # A uniform guess has 128.
    assert rows["dense_metric"].max() < 30
    assert rows["test_metric"].max() < 40
    assert rows["test_accuracy"].null_count() == len(rows)
