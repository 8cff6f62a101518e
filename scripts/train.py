"""Train, prune, quantize and encode: one point or a sweep, as conf/train.yaml and the command line say."""

import os
from pathlib import Path

from xorjax.config.launch import launch

ROOT = Path(__file__).resolve().parent.parent


def run_points(*arguments):
    # Imported for seconds: a wrong command is refused before.
    from xorjax.pipeline.sweep import run

    return run(*arguments)


if __name__ == "__main__":
    os.environ["XORJAX_ROOT"] = os.environ.get("XORJAX_ROOT") or str(ROOT)
    raise SystemExit(launch(ROOT / "conf", run_points))
