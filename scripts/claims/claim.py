"""A claim: numbers of a document, the commands that make them, and what they are found to be."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from .documents import Place, parse, read, unit


class NotMeasuredError(Exception):
    """What a claim needs is not there; one phrase that says why."""


@dataclass(frozen=True)
class Command:
    """A command line, run in the repository; `{runs}` is the run directory, which XORJAX_RUNS names too.

    `minutes` are on two cores, by itself. `experiment` names the report whose table it leaves, `module` what must be
    importable, and `network` that it may fail where there is none.
    """

    name: str
    line: str
    minutes: float
    experiment: str | None = None
    module: str | None = None
    network: bool = False


@dataclass(frozen=True)
class Loose:
    """A number that varies from run to run: within `factor` of the documented one either way, or only reported."""

    number: float
    factor: float = math.inf


Found = Mapping[str, Sequence[float | Loose]]
"""As `documents.Cells`: row label -> numbers. Rows that the document does not have may be among them."""


class Results:
    """What the commands have left in a run directory."""

    def __init__(self, runs: Path):
        self.runs = runs

    @property
    def kept(self) -> Path:
        """Where what a command printed is kept, its table, and how long it took."""
        return self.runs / "reproduce"

    def kept_table(self, command: Command) -> Path:
        return self.kept / f"{command.name}.parquet"

    def left_table(self, command: Command) -> Path:
        """Where the command writes; another command of this experiment will write there too."""
        return self.runs / "reports" / str(command.experiment) / "results.parquet"

    def record(self, command: Command) -> dict | None:
        """`line`, `seconds` and `output` of a command that was run here to its end, if it was."""
        file = self.kept / f"{command.name}.json"
        record = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
        return record if record and record["line"] == command.line else None

    def output(self, command: Command) -> str:
        """What the command printed."""
        if (record := self.record(command)) is None:
            raise NotMeasuredError(f"{command.name} was not run in {self.runs}")
        return record["output"]

    def minutes(self, command: Command) -> Loose:
        """What the command took, NaN if it was not run here but what it left is here."""
        record = self.record(command)
        return Loose(record["seconds"] / 60 if record else math.nan)

    def table(self, command: Command) -> pl.DataFrame:
        """The rows that a sweep left, with `value_bits`; none has failed."""
        path = self.kept_table(command)
        if not path.is_file() and command.name == command.experiment:
            path = self.left_table(command)
        if not path.is_file():
            raise NotMeasuredError(f"{command.name} was not run in {self.runs}")
        return _with_value_bits(path)


@cache
def _with_value_bits(path: Path) -> pl.DataFrame:
    table = pl.read_parquet(path)
    if failed := table.filter(pl.col.status != "ok").height:
        raise NotMeasuredError(f"{failed} rows of {path} have failed")
    return table.with_columns(value_bits=pl.col.code_bits + pl.col.patch_bits)


@dataclass(frozen=True)
class Claim:
    """Numbers at one place of a document and how they are found again; `commands` in the order of running."""

    name: str
    document: str
    place: Place
    commands: tuple[Command, ...]
    find: Callable[[Results], Found]


@dataclass(frozen=True)
class Excuse:
    """Numbers that no command is known to give back, and why."""

    document: str
    place: Place
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What came of a claim; `reported` are numbers that vary and are no difference, as lines."""

    n_numbers: int
    differences: list[str]
    reported: list[str]


def compare(claim: Claim, document: str, results: Results) -> Outcome:
    """Every number of the claim against what is found.

    Raises:
        PlaceError: the document has no such place.
        NotMeasuredError: the results do not have what it takes.
    """
    documented, found = read(document, claim.place), claim.find(results)
    if found and all(_is_unknown(value) for numbers in found.values() for value in numbers):
        raise NotMeasuredError("only times, of a command that was not run here")
    differences, reported = [], []
    for label, numbers in documented.items():
        row = f"{label!r}, " if label else ""
        if label not in found:
            differences.append(f"row {label!r}: nothing was found for it")
        elif len(numbers) != len(found[label]):
            differences.append(f"{row}documented {len(numbers)} numbers, found {len(found[label])}")
        else:
            for i, (number, value) in enumerate(zip(numbers, found[label], strict=True), 1):
                line = f"{row}number {i}: documented {number}, found {_show(value, number)}"
                if not agrees(number, value):
                    differences.append(line)
                elif isinstance(value, Loose) and not _is_unknown(value):
                    reported.append(line)
    return Outcome(sum(map(len, documented.values())), differences, reported)


def agrees(number: str, value: float | Loose) -> bool:
    """Whether a documented number is the value found, to the digits printed or as loosely as the value says."""
    documented = parse(number)
    if not isinstance(value, Loose):
        # A last digit may have been rounded either way from a half.
        return abs(documented - value) <= unit(number) * (0.5 + 1e-6)
    if math.isinf(value.factor) or documented == value.number:
        return True
    ratio = documented / value.number if value.number else math.inf
    return 1 / value.factor <= ratio <= value.factor


def _is_unknown(value: float | Loose) -> bool:
    return isinstance(value, Loose) and math.isnan(value.number)


def _show(value: float | Loose, number: str) -> str:
    """Two digits more than the document has, or three in all."""
    if isinstance(value, Loose):
        return f"{value.number:.3g}"
    return f"{value:.{max(0, len(number.partition('.')[2])) + 2}f}"
