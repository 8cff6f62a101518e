"""scripts/train.py with the stub in the pipeline's place."""

import runpy
import sys
from pathlib import Path

import stub_pipeline

sys.modules["xorjax.pipeline.sweep"] = stub_pipeline
runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "train.py"), run_name="__main__")
