"""What the tests of the configuration share: Hydra on our conf/, and scripts/train.py with a pipeline of stubs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
STUBS = ["hydra.callbacks.xorjax.run=stub_pipeline.run"]


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
def train(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs scripts/train.py on stubs that print what they are called with; `tmp_path / "runs"` is its runs/."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
        environment = {
            **os.environ,
            "XORJAX_RUNS": str(tmp_path / "runs"),
            "PYTHONPATH": str(Path(__file__).parent),
        }
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments, *STUBS],
            env=environment | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run
