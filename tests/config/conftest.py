"""What the tests of the configuration share: Hydra on our conf/, and scripts/train.py with a pipeline of stubs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
STUBBED = str(Path(__file__).with_name("stubbed_train.py"))


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture(scope="module")
def compose_run(loader: ConfigLoader) -> Callable[..., DictConfig]:
    return lambda *overrides: loader.load_configuration("train", list(overrides), RunMode.RUN)


@pytest.fixture(scope="module")
def compose_multirun(loader: ConfigLoader) -> Callable[..., DictConfig]:
    return lambda *overrides: loader.load_configuration("train", list(overrides), RunMode.MULTIRUN)


@pytest.fixture
def start_train(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Starts scripts/train.py on stubs that print what they are called with; `tmp_path / "runs"` is its runs/."""

    def start(
        *arguments: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, **variables: str
    ) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, STUBBED, *arguments],
            env=os.environ | {"XORJAX_RUNS": str(tmp_path / "runs")} | variables,
            cwd=tmp_path,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    return start


@pytest.fixture
def train(start_train: Callable[..., subprocess.Popen]) -> Callable[..., subprocess.CompletedProcess]:
    """As `start_train`, to its end."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
        process = start_train(*arguments, **variables)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return run
