"""The source paper's table and its follower's, row by row, with what was measured here beside: no figure is typed in.

    python scripts/paper_table.py                                        for the terminal
    python scripts/paper_table.py --markdown > table.md
    python scripts/paper_table.py --json table.json --runs runs

Ours are read from the reports of experiments below RUNS/reports, and AlexNet's rows from alexnet.json and
alexnet_real.json there, which `benchmarks/alexnet.py --json` writes; where there is none, from the table that
docs/tables keeps. What was not run says so, with its command. Fronts are of reports alone.

Published figures carry how they are known: "quoted" (read in a public text of the paper), "as recalled" (never
confirmed), "derived" (arithmetic). Bits are a weight of the compressed layers, pruned ones included, from the bytes
written. Ours are means over seeds, +- the sample standard deviation; the loss is against the reference, the dense
network trained as long in the same way, paired by seed, +- the 95 % interval of the mean.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl
from documents.fronts import listed, winners
from documents.paper import Ours, found
from documents.published import GPU, MARKS, TABLES, Figure, Row, number

from xorjax.metric import Metric
from xorjax.program import run_program
from xorjax.results.collect import CollectError, metric_of
from xorjax.results.losses import loss_of
from xorjax.results.names import CSR, SAME_MASK, mask_name, model_name
from xorjax.results.tables import per_point
from xorjax.results.variants import SETTING, varied_keys

MORE = (
    "lenet_sweep",
    "lenet_joint",
    "lenet_trained",
    "lenet_trained_all",
    "lenet300_sweep",
    "front",
    "front_mnist",
)
"""Experiments that no row names and that the fronts have too."""

COLUMNS = (
    "network", "ours is", "published", "bits a weight", "metric", "reference", "loss", "against dense", "what differs",
    "command",
)  # fmt: skip
"""Of the Markdown table."""


@dataclass(frozen=True)
class Place:
    """One method at one setting, mean over seeds, for the front of a network.

    `model` is which quantized network it stores, `own` whether in the code of the experiment or in a rival.
    """

    experiment: str
    model: str
    own: bool
    method: str
    total: float
    loss: float
    half_width: float | None
    n_seeds: int
    wins: bool = False


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path(os.environ.get("XORJAX_RUNS") or "runs"))
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    reports = arguments.runs / "reports"
    try:
        rows = {name: [(row, found(row, reports)) for row in table] for name, table in TABLES.items()}
        networks = fronts(reports)
    except (CollectError, OSError, pl.exceptions.PolarsError) as error:
        print(f"paper_table: error: {error}", file=sys.stderr)
        return 1
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(rows, networks), indent=1) + "\n", encoding="utf-8")
    lines = markdown(rows, networks) if arguments.markdown else text(rows, networks)
    print("\n".join(lines))
    return 0


def points_of(report: Path) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """A report's rows that have not failed, and its points; None where there are none."""
    path = report / "results.parquet"
    if not path.is_file():
        return None
    table = pl.read_parquet(path).filter(pl.col("status") == "ok")
    if table.is_empty():
        return None
    plan = report / "plan.json"
    swept = json.loads(plan.read_text(encoding="utf-8")).get("swept", {}) if plan.is_file() else {}
    # Signs of all weights of a pruned network are sizes alone: no network with them was trained.
    return table, per_point(table, varied_keys((table, swept))).drop_nulls("test_metric")


def method_of(point: Mapping[str, Any]) -> str:
    """A point's own code, or a rival's, for readers."""
    mask = mask_name(point["mask_codec"]) if point["mask_codec"] else ""
    own = not point["baseline"]
    parts = [
        point["codec"],
        f"mask: {mask}" if mask and own else "",
        f"S={point['prune_rate']:g}" if point["prune_rate"] else "",
        point["shape"],
        point["variant"]
        if own
        else f"of {model_name(point['model_variant'])}"
        if point["model_variant"]
        else "",
    ]
    return ", ".join(filter(None, parts))


def fronts(reports: Path) -> dict[str, list[Place]]:
    """For each network, data set and set of compressed layers all methods by their bits, and which wins."""
    names = dict.fromkeys(row.experiment for table in TABLES.values() for row in table)
    networks: dict[str, list[Place]] = {}
    for experiment in (*names, *MORE):
        for name in (experiment, experiment + GPU):
            if (read := points_of(reports / name)) is not None:
                add_places(networks, name, *read)
    return {network: with_winners(places) for network, places in sorted(networks.items())}


def add_places(
    networks: dict[str, list[Place]], experiment: str, table: pl.DataFrame, points: pl.DataFrame
) -> None:
    of_points: dict[str, tuple[str, str, tuple[str, ...]]] = {}
    grouped = table.filter(~pl.col("baseline")).group_by("point", maintain_order=True)
    for (point,), rows in grouped:
        layers = tuple(rows["layer"].unique(maintain_order=True))
        of_points[str(point)] = rows["model"][0], rows["dataset"][0], layers
    metric = metric_of(table)
    found: dict[tuple[Any, ...], tuple[str, Place]] = {}
    for group in points.partition_by(*SETTING, "model_variant", "baseline", "codec", maintain_order=True):
        point = group.row(0, named=True)
        loss, of_model = loss_of(group, metric), (point["prune_rate"], point["model_variant"])
        for kind, method, total in ways(point, group):
            width = None if loss.half_width is None else metric.scale * loss.half_width
            network, model = (
                of_network(*of_points[point["point"]], metric),
                f"S={of_model[0]:g} {of_model[1]}",
            )
            own = kind != SAME_MASK and not point["baseline"]
            lost = metric.scale * loss.value
            place = Place(experiment, model.strip(), own, method, total, lost, width, loss.n_seeds)
            key = (network, model, kind)
            # Of the settings of one kind of code, which store the same network, the smallest stands for all.
            if key not in found or total < found[key][1].total:
                found[key] = network, place
    for network, place in found.values():
        networks.setdefault(network, []).append(place)


def ways(point: Mapping[str, Any], group: pl.DataFrame) -> Iterator[tuple[str, str, float]]:
    """What kind of code the points have, how readers know the setting, and its bits.

    A mask that its codec has chosen is no rival's, so that packed signs behind it are counted here: a bit each.
    """
    kind = CSR if "gaps + signs" in point["codec"] else point["codec"]
    yield kind, method_of(point), fmean(group["bits_per_weight"])
    if point["approximate"] and not point["baseline"]:
        total = sum(fmean(group[name]) for name in ("value_bound", "index_bits", "scale_bits"))
        rate = f"S={point['prune_rate']:g}"
        yield SAME_MASK, f"{SAME_MASK}, mask: {mask_name(point['mask_codec'])}, {rate}", total


def of_network(model: str, dataset: str, layers: Sequence[str], metric: Metric) -> str:
    return f"{model}, {dataset}, {listed(layers)}; loss in {'pp' if metric.unit == '%' else metric.name}"


def with_winners(places: Sequence[Place]) -> list[Place]:
    """By bits; a method wins where none takes as few bits and loses as little."""
    won = {id(place) for place in winners(places)}
    ordered = sorted(places, key=lambda place: (place.total, place.loss))
    return [replace(place, wins=id(place) in won) for place in ordered]


def shown(places: Sequence[Place]) -> Iterator[Place]:
    """Of each network its own code and the least rival, and whatever wins; `--json` has the others too."""
    least: dict[tuple[str, str, bool], Place] = {}
    for place in places:
        least.setdefault((place.experiment, place.model, place.own), place)
    for place in places:
        if place.wins or place is least[place.experiment, place.model, place.own]:
            yield place


def text(
    rows: Mapping[str, Sequence[tuple[Row, list[Ours]]]], networks: Mapping[str, Sequence[Place]]
) -> Iterator[str]:
    for name, table in rows.items():
        yield f"== {name} =="
        for row, measured in table:
            yield f"\n{row.network}: {row.setting}"
            yield f"  published  {row.published}"
            for ours in measured:
                yield f"  ours       {ours.bits} bits; {ours.method} ({ours.source})"
                if ours.command:
                    yield f"             made by {ours.command}"
                if ours.quality is not None:
                    tested, dense, reference, loss, against_dense = ours.quality.told(row.unit)
                    yield f"             {tested}; dense {dense}, reference {reference}"
                    yield f"             loss {loss}; against dense {against_dense}"
            if not measured:
                yield "  ours       not run"
            yield f"  differs    {row.differs}"
            yield f"  command    {row.how}"
        yield ""
    for name, places in networks.items():
        yield f"== Front of {name} (* wins: loses less than all that take as few bits) =="
        for place in shown(places):
            mark, width = "*" if place.wins else " ", interval(place)
            yield f"{mark} {place.total:.4f} bits  loss {place.loss:.3f}{width}  {place.method} ({place.experiment})"
        yield ""


def interval(place: Place) -> str:
    return f" ({place.n_seeds} seed)" if place.half_width is None else f" ± {place.half_width:.3f}"


def markdown(
    rows: Mapping[str, Sequence[tuple[Row, list[Ours]]]], networks: Mapping[str, Sequence[Place]]
) -> Iterator[str]:
    for name, table in rows.items():
        yield f"### {name}\n"
        yield f"| {' | '.join(COLUMNS)} |"
        yield "|---" * len(COLUMNS) + "|"
        for row, measured in table:
            head = f"| {row.network} | {row.setting} | {row.published}"
            if not measured:
                yield f"{head} | not run | | | | | {row.differs} | `{row.how}` |"
            for ours in measured:
                tested, _, reference, loss, against_dense = (
                    ours.quality.told(row.unit) if ours.quality else ("",) * 5
                )
                recipe = " (GPU recipe)" if ours.is_gpu else ""
                yield (
                    f"{head} | {ours.bits}{recipe} | {tested} | {reference} | {loss} | {against_dense} | {row.differs} "
                    f"| `{ours.command or row.how}` |"
                )
        yield ""
    for name, places in networks.items():
        yield f"### Front of {name}\n"
        yield "Of each network its own code and the least rival; bold loses less than all that take as few bits.\n"
        yield "| bits a weight | loss | method | experiment |\n|---|---|---|---|"
        for place in shown(places):
            bold = "**" if place.wins else ""
            yield (
                f"| {bold}{number(place.total)}{bold} | {place.loss:.3f}{interval(place)} | {place.method} "
                f"| {place.experiment} |"
            )
        yield ""


def as_json(
    rows: Mapping[str, Sequence[tuple[Row, list[Ours]]]], networks: Mapping[str, Sequence[Place]]
) -> dict[str, Any]:
    def told(figure: Figure | None) -> dict[str, Any] | None:
        return None if figure is None else {"value": figure.value, "known": MARKS[figure.mark]}

    return {
        "tables": {
            name: [
                {
                    "network": row.network,
                    "setting": row.setting,
                    "published": {
                        key: told(getattr(row, key)) for key in ("total", "index", "metric", "dense")
                    },
                    "metric": row.unit.name,
                    "ours": [asdict(ours) for ours in measured],
                    "status": "measured" if measured else "not run",
                    "differs": row.differs,
                    "command": row.how,
                }
                for row, measured in table
            ]
            for name, table in rows.items()
        },
        "fronts": {name: [asdict(place) for place in places] for name, places in networks.items()},
    }


if __name__ == "__main__":
    sys.exit(run_program(main, "paper_table: error"))
