"""What was measured: tables kept in docs/tables, each with the command, commit, versions and machine that made it.

A table is a CSV file whose first lines, "# key: value", say where it is from. Cells are compared as they are written:
a new figure agrees if it rounds to the digits that are kept.
"""

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from xorjax.results.configs import setting
from xorjax.results.names import trained_codes

TABLES = Path(__file__).resolve().parents[2] / "docs" / "tables"

SETTINGS = (
    "dataset", "model", "layer", "seed", "prune_rate", "code", "mask_codec", "baseline",
    "n_in", "n_out", "fill", "method", "patch_format", "slicing", "n_planes", "words", "mask",
    "mask_search", "mask_index_bits",
)  # fmt: skip
"""Columns of a sweep's table that say which row it is."""
CHOSEN = {
    "words": "quantize.words",
    "mask": "mask.codec",
    "mask_search": "mask.search",
    "mask_index_bits": "mask.index_bits",
}
"""Settings that have no column in a report."""
FIGURES = (
    "n_weights", "dense_metric", "reference_metric", "pruned_metric", "quantized_metric", "test_metric",
    "validation_metric", "dense_validation_metric", "epochs", "dense_epochs", "n_test", "code_bits", "patch_bits",
    "index_bits", "scale_bits", "bits_per_weight", "patches_per_slice", "file_bytes", "file_bits_per_parameter",
    "sign_entropy", "context_entropy", "kept_score", "flipped_signs", "n_bounded", "logit_difference",
)  # fmt: skip
"""Columns of a sweep's table that were measured."""


@dataclass(frozen=True)
class Source:
    """How a table is made: a command, and what of it is kept.

    Attributes:
        command: run in the repository; "{json}" is the file that a benchmark writes its rows to, "{runs}" the run
            directory, which XORJAX_RUNS names too.
        minutes: on two cores, by itself.
        report: of a sweep, the name of its report.
        part: where the rows are in what a benchmark writes, if it writes more.
        keys: columns that say which row it is; a sweep's are `SETTINGS`.
        loose: columns, and the factor within which they may vary; `inf` for what is only told. Times and memory.
        module: what must be importable.
    """

    command: str
    minutes: float
    report: str | None = None
    part: str | None = None
    keys: tuple[str, ...] = SETTINGS
    loose: Mapping[str, float] = field(default_factory=dict)
    module: str | None = None


@dataclass(frozen=True)
class Measured:
    """A table: where it is from, and its cells as they are written, null where there is nothing."""

    origin: dict[str, str]
    cells: pl.DataFrame

    @classmethod
    def read(cls, name: str) -> "Measured":
        """Raises `FileNotFoundError` if there is no such table."""
        text = (TABLES / f"{name}.csv").read_text(encoding="utf-8")
        heads = re.findall("^# (.*?): (.*)$", text, re.MULTILINE)
        return cls(dict(heads), pl.read_csv(io.StringIO(text), comment_prefix="# ", infer_schema=False))

    @classmethod
    def of(cls, origin: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> "Measured":
        """Of rows of values in their order; columns without any value are left out."""
        names = dict.fromkeys(name for row in rows for name in row if row[name] is not None)
        cells = {name: [written(row.get(name)) for row in rows] for name in names}
        return cls(dict(origin), pl.DataFrame(cells, dict.fromkeys(cells, pl.String)))

    def text(self) -> str:
        return "".join(f"# {key}: {value}\n" for key, value in self.origin.items()) + self.cells.write_csv()

    def by_key(self, keys: Sequence[str]) -> dict[tuple, dict[str, str]]:
        """The rows by the columns of `keys` that there are.

        Raises:
            ValueError: several rows have the same key.
        """
        rows = self.cells.fill_null("")
        named = rows.select(name for name in keys if name in rows.columns)
        if len(twice := rows.filter(named.is_duplicated())):
            raise ValueError(f"rows with the same {', '.join(named.columns)}: {twice.head(2).rows()}")
        return dict(zip(named.rows(), rows.to_dicts(), strict=True))

    def frame(self) -> pl.DataFrame:
        """With `value_bits` where it is a sweep's."""
        frame = pl.read_csv(io.StringIO(self.cells.write_csv()), infer_schema_length=None)
        frame = frame.with_columns(pl.col("^.*_metric$").cast(pl.Float64))
        if "code_bits" in frame.columns:
            patches = pl.col.patch_bits.fill_null(0) if "patch_bits" in frame.columns else 0
            frame = frame.with_columns(value_bits=pl.col.code_bits + patches)
        return frame


def of_sweep(origin: Mapping[str, str], report: Path) -> Measured:
    """The table of a report's `results.parquet`.

    Raises:
        ValueError: a point has failed.
    """
    table = pl.read_parquet(report)
    if failed := table.filter(pl.col.status != "ok").height:
        raise ValueError(f"{failed} rows of {report} have failed")
    return of_points(origin, table)


def of_points(origin: Mapping[str, str], table: pl.DataFrame) -> Measured:
    """A row a layer of each finished point and of each baseline beside it."""
    chosen = {name: setting(table["config"], key) for name, key in CHOSEN.items()}
    # A baseline beside a trained code stores the network that was trained in it, another for each shape.
    is_trained = setting(table["config"], "code").is_in(trained_codes())
    for name in ("n_in", "n_out"):
        shape = setting(table["config"], f"code.{name}").cast(pl.Int64, strict=False)
        chosen[name] = table.select(pl.coalesce(name, pl.when(is_trained).then(shape)))[name]
    table = table.with_columns(**chosen)
    columns = [name for name in (*SETTINGS, *FIGURES) if name in table.columns]
    rows = table.select(columns).unique().sort(pl.all()).rows(named=True)
    return Measured.of(origin, rows)


def written(value: object) -> str | None:
    """A cell: floats with six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else None if value is None else str(value)


def differences(
    kept: Measured, new: Measured, keys: Sequence[str], loose: Mapping[str, float]
) -> Iterator[str]:
    """A line for each cell that does not agree, and for each row that only one of them has."""
    if odd := set(kept.cells.columns) ^ set(new.cells.columns):
        yield f"only one of them has: {', '.join(sorted(odd))}"
        return
    named = [name for name in keys if name in kept.cells.columns]
    before, after = kept.by_key(named), new.by_key(named)
    for key in before | after:
        row = ", ".join(f"{name}={cell}" for name, cell in zip(named, key, strict=True) if cell)
        if key not in after:
            yield f"not found again: {row}"
        elif key not in before:
            yield f"not in the table: {row}"
        else:
            for column, was in before[key].items():
                if not agrees(was, now := after[key][column], loose.get(column, 1)):
                    yield f"{row}: {column} is {now}, in the table {was}"


def agrees(kept: str, new: str, factor: float) -> bool:
    """Whether a new cell rounds to the digits of the one that is kept, or is within the factor of it."""
    try:
        was, now = float(kept), float(new)
    except ValueError:
        return kept == new
    if factor == 1:
        return abs(was - now) <= unit(kept) * (0.5 + 1e-6)
    return math.isinf(factor) or max(was, now) <= factor * min(was, now)


def unit(number: str) -> float:
    """What the last digit of a number stands for: 0.0001 for "0.1310", 1e7 for "1.09e9"."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
