"""What was measured for a published row: in a report of these runs, or in the table that docs/tables keeps of it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from xorjax.metric import Metric
from xorjax.results.collect import CollectError
from xorjax.results.losses import Loss, loss_of
from xorjax.results.names import mask_name

from .figures import Rows
from .measured import SETTINGS, Measured, of_points
from .published import GPU, HOURS, TABLES, Row, number

ALIKE = [name for name in SETTINGS if name not in ("layer", "seed", "n_out")]
"""What points of one setting agree in. An n_out that was chosen from the masks differs with the networks."""


@dataclass(frozen=True)
class Quality:
    """Means over seeds of the metric on the test split.

    Attributes:
        tested: of the compressed network; `spread` is its sample standard deviation, None for one seed.
        loss: against the reference, paired by seed, `against_dense` against the dense network.
        epochs: of all trainings behind the compressed network.
    """

    tested: float
    spread: float | None
    dense: float
    reference: float
    loss: Loss
    against_dense: float
    epochs: float

    def told(self, metric: Metric) -> tuple[str, str, str, str, str]:
        """For people: the compressed network, the dense one, the reference, both losses."""
        n = self.loss.n_seeds
        said = f"{metric.number(self.tested, self.spread)} {metric.unit}".strip()
        return (
            f"{said} ({n} seed{'s' * (n > 1)}, {self.epochs:.0f} epochs)",
            metric.text(self.dense),
            metric.text(self.reference),
            self.loss.text(metric) + relative(self.loss.value, self.reference, metric),
            metric.difference(self.against_dense) + relative(self.against_dense, self.dense, metric),
        )


@dataclass(frozen=True)
class Ours:
    """Bits a weight of the compressed layers, means over seeds; of sizes alone there is no quality.

    `source` is the report, or the kept table, that it is from, `method` the code for readers, and `command` what made
    the kept table if that is not what the row says: a shorter training.
    """

    source: str
    method: str
    value_bits: float
    index_bits: float
    scale_bits: float
    total: float
    quality: Quality | None = None
    command: str = ""

    @property
    def bits(self) -> str:
        """ "0.1213 values + 0.069 index = 0.1903"."""
        scales = f" + {number(self.scale_bits)} scales" if self.scale_bits >= 0.00005 else ""
        return f"{number(self.value_bits)} values + {number(self.index_bits)} index{scales} = {number(self.total)}"

    @property
    def is_gpu(self) -> bool:
        """Of the recipe for a GPU."""
        return Path(self.source).stem.endswith(GPU)


def kept() -> dict[str, list[tuple[Row, list[Ours]]]]:
    """The rows that docs/tables has something for, of each published table."""
    tables = {name: [(row, found(row, None)) for row in table] for name, table in TABLES.items()}
    return {name: [(row, ours) for row, ours in table if ours] for name, table in tables.items()}


def not_run() -> list[tuple[str, list[Row], float | None]]:
    """The commands that docs/tables has nothing of, their rows, and expected hours on two cores."""
    missing = [row for table in TABLES.values() for row in table if not found(row, None)]
    return [
        (how, list(rows), HOURS.get(how))
        for how in dict.fromkeys(row.how for row in missing)
        if (rows := [row for row in missing if row.how == how])
    ]


def found(row: Row, reports: Path | None) -> list[Ours]:
    """What was measured: one for each recipe that was run, none where none was.

    Raises:
        CollectError: AlexNet's sizes are not those of its full layers.
    """
    if row.experiment.endswith(".json"):
        return sizes_alone(row, reports)
    runs = [measured(row, name, reports) for name in (row.experiment, row.experiment + GPU)]
    return [replace(ours, command=other_command(row, ours.source)) for ours in runs if ours is not None]


def other_command(row: Row, source: str) -> str:
    """What made a kept table, if that is not the row's command; of reports nothing is said."""
    path = Path(source)
    made = Measured.read(path.stem).origin["command"] if path.suffix == ".csv" else row.how
    return made if made != row.how else ""


def sizes_alone(row: Row, reports: Path | None) -> list[Ours]:
    """Of the XOR codes with the row's mask the one that takes the fewest bits, as `benchmarks/alexnet.py` left it."""
    tables = [kept_table(Path(row.experiment).stem)]
    if reports and (path := reports / row.experiment).is_file():
        summary = json.loads(path.read_text(encoding="utf-8"))
        if summary["shrink"] != 1:
            raise CollectError(f"{path}: it was made with --shrink {summary['shrink']}, expected full size")
        tables.insert(0, (str(path), pl.DataFrame(summary["sums"], infer_schema_length=None)))
    for source, table in tables:
        coded = table.filter(pl.col.mask == row.where["mask"], pl.col.n_in.is_not_null())
        if len(coded):
            best = coded.sort("total").row(0, named=True)
            n_out = f", n_out={best['n_out']}" if best["n_out"] else ""
            method = f"n_in={best['n_in']}, {best['method']}, {best['patch_format']}{n_out}"
            return [Ours(source, method, best["value_bits"], best["index_bits"], 0.0, best["total"])]
    return []


def measured(row: Row, name: str, reports: Path | None) -> Ours | None:
    """Of the points that the row names the setting of the fewest bits; None where there is none."""
    tables = [kept_table(name)]
    if reports and (path := reports / name / "results.parquet").is_file():
        finished = pl.read_parquet(path).filter(pl.col.status == "ok")
        if len(finished):
            tables.insert(0, (str(path.parent), of_points({}, finished).frame()))
    for source, table in tables:
        own = table
        for key, wanted in {"baseline": False, **row.where}.items():
            own = own.filter(pl.col(key) == wanted) if key in own.columns else own.clear()
        if len(own):
            return mean_over_seeds(source, own, row.unit)
    return None


def mean_over_seeds(source: str, points: pl.DataFrame, metric: Metric) -> Ours:
    """Of the setting among the points that takes the fewest bits."""
    alike = [name for name in ALIKE if name in points.columns]
    best = min(map(Rows, points.partition_by(alike)), key=lambda rows: rows.mean("bits_per_weight"))
    of_seeds = {name: best.by_seed(name) for name in ("test_metric", "reference_metric")}
    tested, dense = best.mean("test_metric"), best.mean("dense_metric")
    quality = Quality(
        tested=tested,
        spread=best.sd("test_metric") if len(of_seeds["test_metric"]) > 1 else None,
        dense=dense,
        reference=best.mean("reference_metric"),
        loss=loss_of(pl.DataFrame(of_seeds), metric),
        against_dense=metric.loss(tested, dense),
        epochs=best.mean("epochs"),
    )
    value, index, scale, total = (
        best.mean(name) for name in ("value_bits", "index_bits", "scale_bits", "bits_per_weight")
    )
    return Ours(source, method_of(best.frame), value, index, scale, total, quality)


def kept_table(name: str) -> tuple[str, pl.DataFrame]:
    """Where a table of docs/tables is, and its rows: none if there is no such table."""
    source = f"docs/tables/{name}.csv"
    try:
        return source, Measured.read(name).frame()
    except FileNotFoundError:
        return source, pl.DataFrame(schema={"mask": pl.String, "n_in": pl.Int64, "total": pl.Float64})


def method_of(points: pl.DataFrame) -> str:
    """The code of one setting, for readers."""
    point = points.row(0, named=True)
    n_out = sorted(set(points["n_out"]))
    mask = point.get("mask_codec")
    planes = point["n_planes"]
    parts = [
        "trained" if point["code"] == "trained" else "XOR",
        f"S={point['prune_rate']:g}" if point["prune_rate"] else "",
        f"mask: {mask_name(mask)}" if mask else "",
        f"{planes} planes" if planes > 1 else "",
        f"{point['n_in']} → {n_out[0]}" + (f" to {n_out[-1]}" if len(n_out) > 1 else ""),
        point.get("method"),
        point.get("patch_format"),
        point.get("words") if point["code"] == "trained" else "",
    ]
    return ", ".join(filter(None, parts))


def relative(loss: float, reference: float, metric: Metric) -> str:
    """Of a metric that is no percentage, the loss in percent of what is lost of."""
    return "" if metric.unit == "%" else f", {100 * loss / reference:.2f} %"
