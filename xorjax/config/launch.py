"""The program behind `scripts/train.py`: check the command line, let Hydra sweep, count failures."""

import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig

from xorjax.config.errors import INTERNAL, INTERRUPTED, report
from xorjax.config.overrides import check_arguments
from xorjax.config.sweep import point_command
from xorjax.config.validate import load_config


def launch(conf: Path) -> int:
    """Run what the command line asks for with the configuration in `conf`.

    Returns:
        The exit code: 0, 2 if all that went wrong is the user's to mend, 130 if interrupted, 1 otherwise.
    """
    # Lets Hydra's errors through to us; by itself it prints and exits.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    failures: list[int] = []

    def run(cfg: DictConfig) -> None:
        # Raised, it would be shown only when all points are through, and keep `finish` from being called.
        settings: Any = HydraConfig.get()
        command = point_command(settings)
        try:
            get_method(settings.callbacks.xorjax.point)(load_config(cfg), command)
        except Exception as error:
            failures.append(report(error))
            if settings.mode == RunMode.MULTIRUN:
                print(f"error: failed point: {command}", file=sys.stderr, flush=True)

    try:
        check_arguments(sys.argv[1:], conf)
        hydra.main(version_base="1.3", config_path=str(conf), config_name="train")(run)()
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr, flush=True)
        return INTERRUPTED
    except Exception as error:
        return report(error)
    if len(failures) > 1:
        print(f"error: {len(failures)} points failed", file=sys.stderr, flush=True)
    return INTERNAL if INTERNAL in failures else max(failures, default=0)
