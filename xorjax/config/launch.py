"""The program behind `scripts/train.py`: check the command line, let Hydra sweep, count failures."""

import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from xorjax.config.errors import INTERNAL, INTERRUPTED, USER, report
from xorjax.config.overrides import as_sweep, check_arguments
from xorjax.config.sweep import PointsFailed, Run, given_command, launch_points
from xorjax.program import run_program, signals_end_it, signals_interrupt


def launch(conf: Path, run: Run) -> int:
    """Run what the command line asks for with the configuration in `conf`.

    Args:
        conf: the directory of the configuration.
        run: runs a single point; those of a sweep are run by the launcher that the configuration names.

    Returns:
        The exit code: 0, 2 if all that went wrong is the user's to mend, 130 if interrupted, 1 otherwise.
    """
    return run_program(lambda: _launch(conf, run))


def _launch(conf: Path, run: Run) -> int:
    # Lets Hydra's errors through to us; by itself it prints and exits.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    signals_interrupt()

    errors: list[Exception] = []

    def run_point(cfg: DictConfig) -> None:
        settings: Any = HydraConfig.get()
        try:
            launch_points([(cfg, settings)], run)
        except Exception as error:
            # Raised, it would be preceded by a line of Hydra's own.
            errors.append(error)

    try:
        check_arguments(sys.argv[1:], conf)
        sys.argv[1:] = as_sweep(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(conf), config_name="train")(run_point)()
        if errors:
            raise errors[0]
    except KeyboardInterrupt:
        print(f"interrupted; to resume: {given_command()}", file=sys.stderr, flush=True)
        return INTERRUPTED
    except PointsFailed as failed:
        return INTERNAL if failed.ours else USER
    except Exception as error:
        return report(error)
    finally:
        signals_end_it()
    return 0
