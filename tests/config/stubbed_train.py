"""scripts/train.py with stubs in the place of the pipeline, and of the registries that import jax."""

import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import stub_pipeline

from xorjax.settings import Range, setting

SIZES = {"n_train": 55_000, "n_validation": 5_000, "n_test": 10_000}


@dataclass(frozen=True)
class Images:
    id = "images"
    datasets = {"mnist": SIZES, "fashion_mnist": SIZES}  # noqa: RUF012
    augment: str = setting("none", ("none", "shift_flip"))
    max_shift: int = setting(2, Range(1))


LENET5 = SimpleNamespace(task="images", layers=("conv1", "conv2", "fc1", "fc2"))

sys.modules["xorjax.tasks.task"] = SimpleNamespace(TASKS={"images": Images})
sys.modules["xorjax.models.registry"] = SimpleNamespace(MODELS={"lenet5": LENET5})
sys.modules["xorjax.pipeline.sweep"] = stub_pipeline
runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "train.py"), run_name="__main__")
