"""A table of docs/tables made again, and its differences: `python scripts/reproduce.py NAME`.

    python scripts/reproduce.py --list                                 tables, commands, minutes; nothing is run
    python scripts/reproduce.py lenet_sweep --runs DIR                 keep the run directory, and resume in it
    python scripts/reproduce.py lenet_sweep --runs runs --as-is        of what is there, run nothing
    python scripts/reproduce.py lenet_sweep --write                    put the new table in place of the old one

Bits, accuracies and counts must be those of the table to the digit on one type of machine, ratios of times within a
factor. Exit code 1: a figure differs, or a command failed.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from documents.measured import TABLES, Measured, Source, differences, of_sweep
from documents.sources import SOURCES

from xorjax.artifacts.provenance import provenance
from xorjax.files import check_name, write_text
from xorjax.program import run_program

ROOT = Path(__file__).resolve().parents[1]


class CommandError(Exception):
    """A table could not be made; one sentence, the last words of its command."""


def make(name: str, runs: Path, as_is: bool) -> Measured:
    """The table as its command makes it.

    Raises:
        CommandError: it failed, or there is nothing of it in `runs`.
    """
    source, rows = SOURCES[name], runs / f"{name}.json"
    if not as_is:
        run(source, runs, rows)
    left = runs / "reports" / source.report / "results.parquet" if source.report else rows
    if not left.is_file():
        raise CommandError(f"there is no {left}")
    made = provenance()
    origin = {
        "command": source.command.removesuffix(" --json {json}"),
        "commit": f"{made['commit']}, {date.today()}",
        "versions": f"Python {made['python_version']}, jax {made['jax_version']}, numpy {made['numpy_version']}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
    }
    if source.report:
        return of_sweep(origin, left)
    written = json.loads(left.read_text(encoding="utf-8"))
    return Measured.of(origin, written[source.part] if source.part else written)


def run(source: Source, runs: Path, rows: Path) -> None:
    """Run the command of a source.

    Raises:
        CommandError: it failed, or needs a module that is not there.
    """
    if source.module and find_spec(source.module) is None:
        raise CommandError(f"{source.module} is not installed")
    line = source.command.replace("{json}", shlex.quote(str(rows))).replace("{runs}", shlex.quote(str(runs)))
    print(f"running {line} (about {source.minutes:g} minutes)", flush=True)
    command, environment = [sys.executable, *shlex.split(line)[1:]], os.environ | {"XORJAX_RUNS": str(runs)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise CommandError((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])


def check(name: str, runs: Path, as_is: bool, write: bool) -> bool:
    """Whether a table was made again as it is; prints what differs."""
    kept = Measured.read(name)
    try:
        new = make(name, runs, as_is)
    except CommandError as error:
        print(f"failed    {name}: {error}")
        return False
    lines = list(differences(kept, new, SOURCES[name].keys, SOURCES[name].loose))
    print(f"{'differs' if lines else 'ok':10}{name}, {kept.cells.height} rows")
    for line in lines:
        print(f"{'':10}{line}")
    if write:
        write_text(TABLES / f"{name}.csv", new.text())
    return write or not lines


def show() -> None:
    for name in sorted(path.stem for path in TABLES.glob("*.csv")):
        minutes = f"{SOURCES[name].minutes:g} min" if name in SOURCES else "by hand"
        print(f"{name:18}{minutes:10}{Measured.read(name).origin['command']}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="tables; all if none is given")
    parser.add_argument("--list", action="store_true", help="show tables and commands, run nothing")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="the run directory; else a temporary one")
    parser.add_argument("--as-is", action="store_true", help="run nothing: what --runs holds")
    parser.add_argument("--write", action="store_true", help="replace the tables")
    arguments = parser.parse_args(argv)
    if arguments.list:
        show()
        return 0
    if unknown := [name for name in arguments.names if name not in SOURCES]:
        parser.error(f"no command makes {unknown[0]!r} again, only {', '.join(SOURCES)}")
    if arguments.as_is and arguments.runs is None:
        parser.error("--as-is needs --runs")
    with tempfile.TemporaryDirectory() as temporary:
        runs = (arguments.runs or Path(temporary)).resolve()
        try:
            check_name(runs)
        except OSError as error:
            parser.error(f"argument --runs: {error.strerror}")
        runs.mkdir(parents=True, exist_ok=True)
        names = arguments.names or SOURCES
        try:
            found = [check(name, runs, arguments.as_is, arguments.write) for name in names]
        except KeyboardInterrupt:
            print("interrupted; with --runs DIR the same command resumes")
            return 130
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(run_program(main))
