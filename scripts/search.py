"""Search the space of an experiment instead of running all of it: few bits per weight, a good validation metric.

python scripts/search.py +experiment=lenet_search
python scripts/search.py +experiment=lenet_search --trials 60 'prune.rate=interval(0.9,0.98)' code.n_in=20

A setting is searched whose value, in the experiment's hydra.sweeper.params or here, is choice(a,b),
range(low,high,step), interval(low,high) or tag(log,interval(low,high)). Several seeds are run in every trial, and
their mean counts. The same command goes on with the same search, up to --trials in all; several commands at once
share it, each a trial at a time. hydra/launcher=joblib or ray makes the stages of one trial side by side, which is for
trials of several seeds.
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from xorjax.config.engine import open_engine
from xorjax.config.errors import INTERNAL, INTERRUPTED, USER, report
from xorjax.config.space import open_space
from xorjax.config.sweep import given_command
from xorjax.program import run_program, signals_end_it, signals_interrupt

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Exit code 0, 2 if all that went wrong is the user's to mend, 130 if interrupted, 1 otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=30, help="of the search in all (default: 30)")
    parser.add_argument("overrides", nargs="*", help="as of scripts/train.py")
    arguments = parser.parse_intermixed_args()
    if arguments.trials < 1:
        parser.error(f"--trials is {arguments.trials}, expected 1 or more")
    if find_spec("optuna") is None:
        parser.error("Optuna is not installed: pip install 'xorjax[search]'")
    command = given_command("scripts/search.py")
    # Points that the system refused to make, such as a full disk: the search has ended with them.
    left = []
    signals_interrupt()
    try:
        with (
            open_space(ROOT / "conf", arguments.overrides) as space,
            open_engine(arguments.overrides) as engine,
        ):
            from rich.console import Console

            from xorjax import paths
            from xorjax.engines import Kept
            from xorjax.pipeline.reports import Reports
            from xorjax.pipeline.sweep import run
            from xorjax.search.loop import search
            from xorjax.search.table import front_table

            console, reports, kept = Console(), Reports(space.runs), Kept(engine)

            def run_trial(jobs):
                outcomes = run(jobs, command, kept, grow=True, reports=reports)
                left.extend(outcome for outcome in outcomes if outcome.status == "left")
                return outcomes

            study, failures = search(space, arguments.trials, run_trial, console)
            for number, reason in study.reasons().items():
                console.print(f"trial {number + 1} has no result: {reason}", markup=False)
            console.print(front_table(study))
            # Also if all trials were run by commands that did not come to this.
            directory = paths.report_dir(space.runs, space.experiment)
            if paths.plan_file(directory).exists():
                reports.add(directory)
            for page in reports.build():
                console.print(f"report: {page}", markup=False)
    except KeyboardInterrupt:
        print(f"interrupted; to resume: {command}", file=sys.stderr, flush=True)
        return INTERRUPTED
    except Exception as error:
        return report(error)
    finally:
        signals_end_it()
    if unfinished := [*failures, *left]:
        return INTERNAL if any(outcome.ours for outcome in unfinished) else USER
    return 0


if __name__ == "__main__":
    os.environ["XORJAX_ROOT"] = os.environ.get("XORJAX_ROOT") or str(ROOT)
    raise SystemExit(run_program(main))
