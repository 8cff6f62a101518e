"""Every number of docs/results.md and README.md, made again and compared: `python scripts/reproduce.py`, some hours.

    python scripts/reproduce.py --list                      claims, commands, minutes; nothing is run
    python scripts/reproduce.py --quick                     what takes less than 2 minutes
    python scripts/reproduce.py --only sweep paper          these claims
    python scripts/reproduce.py --runs DIR                  keep the run directory, and resume in it
    python scripts/reproduce.py --runs runs --as-is         compare with what is there, run nothing

Bits, accuracies and counts must be those of the documents to the digit on one type of machine, ratios of times within
a factor; times and memory are reported. What is not made again, and why, ends the list. Exit code 1: a number differs,
or a command failed.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from claims import codec, greedy, pretrained, readme, speed, sweeps, unfrozen
from claims.claim import Claim, Command, NotMeasuredError, Results, compare
from claims.documents import PlaceError, Sentence, read
from claims.excused import EXCUSES

from xorjax.files import check_name, replacing, write_text
from xorjax.program import run_program

ROOT = Path(__file__).resolve().parent.parent
CLAIMS: tuple[Claim, ...] = (
    *readme.CLAIMS,
    *sweeps.CLAIMS,
    *unfrozen.CLAIMS,
    *greedy.CLAIMS,
    *codec.CLAIMS,
    *pretrained.CLAIMS,
    *speed.CLAIMS,
)
QUICK_MINUTES = 2


class CommandError(Exception):
    """A command did not come to its end; one sentence with its last words."""


class Runner:
    """Runs each command once in a run directory, or, if `as_is`, none."""

    def __init__(self, runs: Path, as_is: bool):
        self.results = Results(runs)
        self.as_is = as_is
        self.failed: dict[str, str] = {}

    def minutes(self, claim: Claim) -> float:
        """What the commands take that were not run here yet."""
        return sum(command.minutes for command in claim.commands if self.results.record(command) is None)

    def run(self, command: Command) -> None:
        """Run a command if it was not run here yet, and keep what it leaves.

        Raises:
            CommandError: it failed.
            NotMeasuredError: it needs a module or a network that is not there.
        """
        if self.as_is or self.results.record(command) is not None:
            return
        if command.name in self.failed:
            raise CommandError(self.failed[command.name])
        if command.module is not None and find_spec(command.module) is None:
            raise NotMeasuredError(f"{command.module} is not installed")
        print(f"running    {command.line} (about {command.minutes:g} minutes)", flush=True)
        kept, began = self.results.kept, time.monotonic()
        kept.mkdir(parents=True, exist_ok=True)
        log = kept / f"{command.name}.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.run(
                words(command, self.results.runs),
                cwd=ROOT,
                env=os.environ | {"XORJAX_RUNS": str(self.results.runs)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if process.returncode != 0:
            said = log.read_text(encoding="utf-8").strip().splitlines() or [f"exit code {process.returncode}"]
            if command.network:
                raise NotMeasuredError(f"{command.name}: {said[-1]}")
            self.failed[command.name] = f"{command.name} failed: {said[-1]} ({log})"
            raise CommandError(self.failed[command.name])
        if command.experiment is not None:
            with replacing(self.results.kept_table(command)) as temporary:
                shutil.copyfile(self.results.left_table(command), temporary)
        record = {"line": command.line, "seconds": time.monotonic() - began, "output": process.stdout}
        write_text(kept / f"{command.name}.json", json.dumps(record, indent=1))


def words(command: Command, runs: Path) -> list[str]:
    """The command line for a process of this Python."""
    program, *arguments = shlex.split(command.line.replace("{runs}", shlex.quote(str(runs))))
    assert program == "python", command.line
    return [sys.executable, *arguments]


def check(claim: Claim, runner: Runner) -> str:
    """Run what the claim needs, print what comes of it, and return the first word of that."""
    document = (ROOT / claim.document).read_text(encoding="utf-8")
    try:
        read(document, claim.place)  # before hours are spent on it
        for command in claim.commands:
            runner.run(command)
        outcome = compare(claim, document, runner.results)
    except NotMeasuredError as error:
        verdict, about, lines = "not measured", str(error), []
    except CommandError as error:
        verdict, about, lines = "failed", str(error), []
    except PlaceError as error:
        verdict, about, lines = "differs", f"{claim.document}: {error}", []
    except (LookupError, ValueError) as error:
        left = f"what {claim.commands[-1].name} left is not as expected"
        verdict, about, lines = "failed", f"{left}: {error!r}", []
    else:
        verdict = "differs" if outcome.differences else "ok"
        about = f"{claim.document}, {outcome.n_numbers} numbers"
        lines = [f"DIFFERS  {line}" for line in outcome.differences]
        lines += [f"varies   {line}" for line in outcome.reported]
    print(f"{verdict:13}{claim.name:20} {about}", flush=True)
    for line in lines:
        print(f"{'':13}{line}", flush=True)
    return verdict


def show(claims: Sequence[Claim]) -> None:
    """Claims by what makes them, and what nothing makes again."""
    commands = {command.name: command for claim in claims for command in claim.commands}
    for name, command in commands.items():
        made = [claim.name for claim in claims if claim.commands[-1].name == name]
        print(f"{command.minutes:6.1f} min  {command.line}\n{'':12}{', '.join(made) or 'for others'}")
    print(f"{sum(command.minutes for command in commands.values()):6.1f} min  in all\n\nnot made again")
    for excuse in EXCUSES:
        place = excuse.place
        where = (
            place.text
            if isinstance(place, Sentence)
            else f"table {place.anchor}: {', '.join(place.rows) or 'all'}"
        )
        print(f"{'':12}{excuse.document}: {where}\n{'':14}{excuse.reason}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [claim.name for claim in CLAIMS]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, default=names, help="see --list")
    parser.add_argument("--list", action="store_true", help="show claims and commands, run nothing")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="the run directory; else a temporary one")
    parser.add_argument("--as-is", action="store_true", help="run nothing: what --runs holds")
    parser.add_argument("--quick", action="store_true", help=f"only what takes under {QUICK_MINUTES} minutes")
    arguments = parser.parse_args(argv)
    if arguments.as_is and arguments.runs is None:
        parser.error("--as-is needs --runs")
    if arguments.runs is not None:
        arguments.runs = arguments.runs.resolve()
        try:
            check_name(arguments.runs)
        except OSError as error:
            parser.error(f"argument --runs: {error.strerror}")
    chosen = [claim for claim in CLAIMS if claim.name in arguments.only]
    if arguments.list:
        show(chosen)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        runner = Runner(arguments.runs or Path(temporary).resolve(), arguments.as_is)
        if arguments.quick:
            chosen = [claim for claim in chosen if runner.minutes(claim) < QUICK_MINUTES]
        try:
            verdicts = Counter(check(claim, runner) for claim in chosen)
        except KeyboardInterrupt:
            print("interrupted; with --runs DIR the same command resumes")
            return 130
    print(", ".join(f"{n} {verdict}" for verdict, n in verdicts.items()))
    return 1 if verdicts["differs"] or verdicts["failed"] else 0


if __name__ == "__main__":
    sys.exit(run_program(main))
