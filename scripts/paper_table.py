"""The source paper's table and its follower's, row by row, with what was measured here beside: no figure is typed in.

    python scripts/paper_table.py                                        for the terminal
    python scripts/paper_table.py --markdown > table.md
    python scripts/paper_table.py --json table.json --runs runs

Ours are read from the result tables of experiments below RUNS/reports, and AlexNet's rows from alexnet.json and
alexnet_real.json there, which `benchmarks/alexnet.py --json` writes. What was not run says so, with its command.

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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import polars as pl

from xorjax.metric import ACCURACY, Metric
from xorjax.program import run_program
from xorjax.results.collect import CollectError, metric_of
from xorjax.results.configs import setting
from xorjax.results.losses import loss_of
from xorjax.results.names import CSR, SAME_MASK, mask_name, model_name
from xorjax.results.tables import per_point
from xorjax.results.variants import SETTING, varied_keys

PERPLEXITY = Metric("perplexity", "", higher_is_better=False, tolerance=0.1)
MARKS = {"v": "quoted", "r": "as recalled", "d": "derived"}
GPU = "_gpu"
"""Behind the name of an experiment: the report of the same with the recipe for a GPU."""


@dataclass(frozen=True)
class Figure:
    """A published number and how it is known: a key of `MARKS`."""

    value: float
    mark: str

    def bits(self) -> str:
        return f"{number(self.value)} ({MARKS[self.mark]})"

    def of(self, metric: Metric) -> str:
        return f"{metric.text(self.value)} ({MARKS[self.mark]})"


@dataclass(frozen=True)
class Row:
    """A row of a published table.

    Attributes:
        network: with its layers.
        setting: what ours is.
        total: published bits a weight; `index` those of the mask, `metric` the published metric, `dense` that of the
            dense network.
        experiment: whose report is read; a name that ends in .json is AlexNet's.
        where: which of its points: settings by dotted key, or for AlexNet's the mask.
        differs: in the set-up.
        command: what makes it; of an experiment it is that of the experiment.
    """

    network: str
    setting: str
    experiment: str
    where: Mapping[str, Any]
    differs: str
    total: Figure | None = None
    index: Figure | None = None
    metric: Figure | None = None
    dense: Figure | None = None
    unit: Metric = ACCURACY
    command: str = ""

    @property
    def how(self) -> str:
        return self.command or f"python scripts/train.py +experiment={self.experiment}"


def v(value: float) -> Figure:
    return Figure(value, "v")


def r(value: float) -> Figure:
    return Figure(value, "r")


def d(value: float) -> Figure:
    return Figure(value, "d")


EXACT, LOW_RANK, XOR = ({"mask.codec": codec} for codec in ("ans_rc", "lowrank", "xor"))
MASKS = ((EXACT, "exact mask"), (LOW_RANK, "low-rank mask"), (XOR, "XOR-coded mask"))
OTHER_MASK = {
    "exact mask": "the paper's mask has low rank; this one stores any mask, as magnitude pruning leaves it",
    "low-rank mask": "another search for factors, and code words with the fewest patches",
    "XOR-coded mask": "masks decoded by an XOR network in place of low-rank ones",
}
ALEXNET = "python benchmarks/alexnet.py --masks exact lowrank xor --json runs/reports/alexnet.json"
REAL = (
    "python scripts/get_weights.py plants && python benchmarks/alexnet.py --weights "
    ".cache/weights/plants/model.safetensors --layers fc1.weight --masks exact lowrank xor --json "
    "runs/reports/alexnet_real.json"
)
OF_ALEXNET: dict[str, Any] = {"total": v(0.28), "index": d(0.19), "metric": r(0.576)}
LENET: dict[str, Any] = {"total": r(0.19), "metric": r(0.991)}
RESNET: dict[str, Any] = {"total": r(1.22), "metric": r(0.916)}
LSTM: dict[str, Any] = {"total": r(1.67), "metric": r(89.6), "unit": PERPLEXITY}

SOURCE = (
    Row(
        "LeNet-5 FC1, MNIST",
        "S=0.95, 1 bit, exact mask",
        "lenet_headline",
        EXACT | {"prune.rate": 0.95},
        OTHER_MASK["exact mask"] + "; ten seeds",
        **LENET,
    ),
    *(
        Row(
            "LeNet-5 FC1, MNIST",
            f"S=0.95, 1 bit, {name}",
            "lenet_masks",
            where | {"prune.rate": 0.95},
            OTHER_MASK[name],
            **LENET,
        )
        for where, name in MASKS[1:]
    ),
    *(
        Row(
            "AlexNet FC5+FC6, ImageNet",
            f"S=0.91, 1 bit, {name}, sizes alone",
            "alexnet.json",
            {"mask": mask},
            f"random Gaussian weights of the same shapes: no accuracy; {OTHER_MASK[name]}",
            **OF_ALEXNET,
            command=ALEXNET,
        )
        for (_, name), mask in zip(MASKS, ("exact", "lowrank", "xor"), strict=True)
    ),
    *(
        Row(
            "AlexNet FC5+FC6, ImageNet",
            f"S=0.91, 1 bit, {name}, sizes alone, a trained layer",
            "alexnet_real.json",
            {"mask": mask},
            f"another network's trained layer, 1024x18000, pruned at once: no accuracy; {OTHER_MASK[name]}",
            **OF_ALEXNET,
            command=REAL,
        )
        for (_, name), mask in zip(MASKS, ("exact", "lowrank", "xor"), strict=True)
    ),
    *(
        Row(
            "AlexNet FC5+FC6, ImageNet",
            f"S=0.91, 1 bit, {name}, a stand-in",
            "wide_fc",
            where | {"prune.rate": 0.91},
            f"4.2 M weights in two layers on Fashion-MNIST in place of AlexNet; {OTHER_MASK[name]}",
            **OF_ALEXNET,
        )
        for where, name in MASKS
    ),
    *(
        Row(
            "ResNet-32, CIFAR-10",
            f"S=0.70, 2 bits, {name}",
            "resnet32_paper",
            where,
            f"first and last layer stay floats; {OTHER_MASK[name]}",
            **RESNET,
        )
        for where, name in MASKS[:2]
    ),
    *(
        Row(
            "ResNet-32, CIFAR-10",
            f"S={rate:g}, {planes} bit{'s' * (planes > 1)}, XOR-coded mask",
            "resnet32_masks",
            {"prune.rate": rate, "quantize.n_planes": planes},
            f"another prune rate and number of bits; first and last layer stay floats; {OTHER_MASK['XOR-coded mask']}",
            **RESNET,
        )
        for planes, rates in ((2, (0.8, 0.9, 0.95)), (1, (0.7, 0.8, 0.9)))
        for rate in rates
    ),
    *(
        Row("LSTM, Penn Treebank", f"S=0.60, 2 bits, {name}", "lstm_paper", where, OTHER_MASK[name], **LSTM)
        for where, name in MASKS[:2]
    ),
    *(
        Row(
            "LSTM, Penn Treebank",
            f"S={rate:g}, {planes} bit{'s' * (planes > 1)}, XOR-coded mask",
            "lstm_masks",
            {"prune.rate": rate, "quantize.n_planes": planes},
            OTHER_MASK["XOR-coded mask"],
            **LSTM,
        )
        for rate, planes in ((0.6, 2), (0.6, 1), (0.8, 1))
    ),
)

RESNETS = {
    "resnet20": (0.9187, {1.0: 0.9044, 0.8: 0.8991, 0.6: 0.8916, 0.4: 0.8823}),
    "resnet32": (0.9233, {1.0: 0.9136, 0.8: 0.9120, 0.6: 0.9043, 0.4: 0.8961}),
}
SHAPES = {1.0: (10, 10), 0.8: (8, 10), 0.6: (6, 10), 0.4: (8, 20)}
"""The n_in and n_out of ours by bits; the experiments have n_in = 8, the others are asked for."""
FOLLOWER = (
    *(
        Row(
            "LeNet-5, all layers, MNIST",
            f"{n_in / 10:g} bits, slices of 10",
            "flexor_lenet",
            {"code.n_in": n_in},
            "code words searched in every step, not trained latent bits; images shifted, distilled; their float and .4 "
            "are a public reproduction's",
            total=r(n_in / 10),
            metric=r(0.9890) if n_in == 4 else None,
            dense=r(0.9930),
        )
        for n_in in (4, 6, 8)
    ),
    *(
        Row(
            f"ResNet-{model[6:]}, CIFAR-10",
            f"{bits:g} bits, {n_in} bits for {n_out} weights",
            f"{model}_trained",
            {"code.n_in": n_in, "code.n_out": n_out},
            "code words searched in every step, in place of slices of 20 with trained latent bits; another schedule; "
            "distilled",
            total=r(bits),
            metric=r(metric),
            dense=r(dense),
            command=""
            if n_in == 8
            else f"python scripts/train.py +experiment={model}_trained code.n_in={n_in} code.n_out={n_out}",
        )
        for model, (dense, metrics) in RESNETS.items()
        for bits, metric in metrics.items()
        for n_in, n_out in [SHAPES[bits]]
    ),
)

BEYOND = (
    *(
        Row(
            f"{name}, Penn Treebank",
            f"{8 / n_out:g} bits, trained code, slices of {n_out}",
            f"{model}_trained",
            {"code.n_out": n_out},
            "no published row",
            unit=PERPLEXITY,
        )
        for model, name in (("lstm", "LSTM"), ("transformer", "Transformer"))
        for n_out in (10, 20)
    ),
    *(
        Row(
            "Transformer, Penn Treebank",
            f"S=0.60, 2 bits, {name}",
            "transformer_paper",
            where,
            "no published row",
            unit=PERPLEXITY,
        )
        for where, name in MASKS[:2]
    ),
)

TABLES = {
    "The source (arXiv 1905.10138)": SOURCE,
    "The follower, trained codes (arXiv 2009.04126)": FOLLOWER,
    "Beyond both": BEYOND,
}
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


@dataclass(frozen=True)
class Ours:
    """What was measured for a row: bits a weight; of sizes alone there is no metric."""

    report: str
    method: str
    value_bits: float
    index_bits: float
    scale_bits: float
    total: float
    lossless: bool | None
    metric: str | None = None
    dense: str | None = None
    reference: str | None = None
    loss: str | None = None
    loss_against_dense: str | None = None
    numbers: Mapping[str, float | int | None] = field(default_factory=dict)

    @property
    def bits(self) -> str:
        scales = f" + {number(self.scale_bits)} scales" if self.scale_bits >= 0.00005 else ""
        return f"{number(self.value_bits)} values + {number(self.index_bits)} index{scales} = {number(self.total)}"


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


def found(row: Row, reports: Path) -> list[Ours]:
    """What was measured: one for each recipe that was run, none where none was."""
    if row.experiment.endswith(".json"):
        return sizes_alone(row, reports / row.experiment)
    runs = [measured(row, reports / name) for name in (row.experiment, row.experiment + GPU)]
    return [ours for ours in runs if ours is not None]


def sizes_alone(row: Row, path: Path) -> list[Ours]:
    """Of the XOR codes with the row's mask the one that takes the fewest bits, as `benchmarks/alexnet.py` left it."""
    if not path.is_file():
        return []
    summary = json.loads(path.read_text(encoding="utf-8"))
    if summary["shrink"] != 1:
        raise CollectError(f"{path}: it was made with --shrink {summary['shrink']}, expected full size")
    lines = [
        line for line in summary["sums"] if line["mask"] == row.where["mask"] and line["n_in"] is not None
    ]
    if not lines:
        return []
    best = min(lines, key=lambda line: line["total"])
    method = f"n_in={best['n_in']}, {best['method']}, {best['patch_format']}, n_out={best['n_out']}"
    sizes = (best["value_bits"], best["index_bits"], 0.0, best["total"])
    return [Ours(path.stem, method, *sizes, best["lossless"], numbers={"seconds": best["seconds"]})]


def measured(row: Row, report: Path) -> Ours | None:
    """Of the points that the row names the setting of the fewest bits; None where there is none."""
    read = points_of(report)
    if read is None:
        return None
    table, points = read
    ids = selected(table, row.where)
    own = points.filter(~pl.col("baseline"), pl.col("point").is_in(ids))
    if own.is_empty():
        return None
    settings = own.partition_by(*SETTING, maintain_order=True)
    best = min(settings, key=lambda points: fmean(points["bits_per_weight"]))
    metric, n = metric_of(best), len(best)
    tested, dense, reference = (mean(best, f"{name}_metric") for name in ("test", "dense", "reference"))
    spread = stdev(best["test_metric"]) if n > 1 else None
    loss, against_dense = loss_of(best, metric), metric.loss(tested, dense)
    of_best = table.filter(pl.col("point").is_in(best["point"].to_list()), ~pl.col("baseline"))
    said = f"{metric.number(tested, spread)} {metric.unit}".strip()
    return Ours(
        report.name,
        method_of(best.row(0, named=True)),
        mean(best, "code_bits") + mean(best, "patch_bits"),
        mean(best, "index_bits"),
        mean(best, "scale_bits"),
        mean(best, "bits_per_weight"),
        bool(of_best["lossless"].all()),
        f"{said} ({n} seed{'s' * (n > 1)}, {mean(best, 'epochs'):.0f} epochs)",
        metric.text(dense),
        metric.text(reference),
        loss.text(metric) + relative(loss.value, reference, metric),
        metric.difference(against_dense) + relative(against_dense, dense, metric),
        {
            "test_metric": tested,
            "test_metric_spread": spread,
            "dense_metric": dense,
            "reference_metric": reference,
            "loss": loss.value,
            "loss_half_width": loss.half_width,
            "loss_against_dense": against_dense,
            "n_seeds": n,
        },
    )


def mean(points: pl.DataFrame, column: str) -> float:
    return fmean(points[column])


def relative(loss: float, reference: float, metric: Metric) -> str:
    """Of a metric that is no percentage, the loss in percent of what is lost of."""
    return "" if metric.unit == "%" else f", {100 * loss / reference:.2f} %"


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
    # A rival stores the quantized network, which was measured.
    measured = pl.coalesce("test_metric", "quantized_metric")
    return table, per_point(table, varied_keys((table, swept))).with_columns(test_metric=measured)


def selected(table: pl.DataFrame, where: Mapping[str, Any]) -> list[str]:
    """The points whose settings are these; numbers are equal up to rounding."""
    chosen = pl.repeat(True, len(table), eager=True)
    for key, wanted in where.items():
        values = setting(table["config"], key).to_list()
        chosen &= pl.Series([is_equal(value, wanted) for value in values], dtype=pl.Boolean)
    return table.filter(chosen)["point"].unique(maintain_order=True).to_list()


def is_equal(value: Any, wanted: Any) -> bool:
    return abs(value - wanted) < 1e-9 if isinstance(value, float) else value == wanted


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
    listed = ", ".join(layers) if len(layers) < 4 else f"{len(layers)} layers"
    return f"{model}, {dataset}, {listed}; loss in {'pp' if metric.unit == '%' else metric.name}"


def with_winners(places: Sequence[Place]) -> list[Place]:
    """By bits; a method wins where none takes as few bits and loses as little."""
    marked, least = [], float("inf")
    for place in sorted(places, key=lambda place: (place.total, place.loss)):
        wins = place.loss < least
        least = min(least, place.loss)
        marked.append(replace(place, wins=wins))
    return marked


def shown(places: Sequence[Place]) -> Iterator[Place]:
    """Of each network its own code and the least rival, and whatever wins; `--json` has the others too."""
    least: dict[tuple[str, str, bool], Place] = {}
    for place in places:
        least.setdefault((place.experiment, place.model, place.own), place)
    for place in places:
        if place.wins or place is least[place.experiment, place.model, place.own]:
            yield place


def number(value: float) -> str:
    """Four digits at most."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if 0 < value < 1 else f"{value:.4g}"


def published(row: Row) -> str:
    lost, recalled = None, ""
    if row.metric and row.dense:
        lost = row.unit.loss(row.metric.value, row.dense.value)
        recalled = " of figures as recalled" if "r" in (row.metric.mark, row.dense.mark) else ""
    parts = [
        f"{row.total.bits()} bits" if row.total else "",
        f"{row.index.bits()} of them index" if row.index else "",
        f"{row.unit.name} {row.metric.of(row.unit)}" if row.metric else "",
        f"dense {row.dense.of(row.unit)}" if row.dense else "",
        f"loss {row.unit.difference(lost)} (derived{recalled})" if lost is not None else "",
    ]
    return "; ".join(filter(None, parts)) or "none"


def text(
    rows: Mapping[str, Sequence[tuple[Row, list[Ours]]]], networks: Mapping[str, Sequence[Place]]
) -> Iterator[str]:
    for name, table in rows.items():
        yield f"== {name} =="
        for row, measured in table:
            yield f"\n{row.network}: {row.setting}"
            yield f"  published  {published(row)}"
            for ours in measured:
                yield f"  ours       {ours.bits} bits; {ours.method} ({ours.report})"
                if ours.metric is not None:
                    yield f"             {ours.metric}; dense {ours.dense}, reference {ours.reference}"
                    yield f"             loss {ours.loss}; against dense {ours.loss_against_dense}"
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
        yield "| network | ours is | published | bits a weight | metric | reference | loss | what differs | command |"
        yield "|---" * 9 + "|"
        for row, measured in table:
            head, tail = (
                f"| {row.network} | {row.setting} | {published(row)}",
                f"{row.differs} | `{row.how}` |",
            )
            if not measured:
                yield f"{head} | not run | | | | {tail}"
            for ours in measured:
                cells = " | ".join(cell or "" for cell in (ours.metric, ours.reference, ours.loss))
                recipe = " (GPU recipe)" if ours.report.endswith(GPU) else ""
                yield f"{head} | {ours.bits}{recipe} | {cells} | {tail}"
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
