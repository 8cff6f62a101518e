"""Train, prune, quantize and encode: one point or a sweep, as conf/train.yaml and the command line say."""

import os
from pathlib import Path

from xorjax.config.launch import launch

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    os.environ.setdefault("XORJAX_ROOT", str(ROOT))
    raise SystemExit(launch(ROOT / "conf"))
