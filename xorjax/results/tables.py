"""From result rows to what they say: the best XOR point of each prune rate and the baselines beside it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from xorjax.results.collect import flat_config, is_coding_key, is_place, quantized_model_key
from xorjax.results.rows import STREAMS

# A point counts as accurate if its mean test accuracy is at most this far below the dense model's (0.15 pp).
TOLERANCE = 0.0015

# What one point of the sweep is, its seed aside.
SETTING = ("prune_rate", "n_in", "n_out", "method", "variant")

CODEC_NAMES = {
    "dense": "dense 1-bit",
    "bitmap_signs": "bitmap + signs",
    "ternary_ans": "ternary ANS",
    "csr5": "5-bit relative index",
}


@dataclass(frozen=True)
class Baseline:
    """A codec without an XOR network on the same quantized models; bits per weight, means over `n_seeds`."""

    method: str
    name: str
    code_bits: float
    patch_bits: float
    index_bits: float
    scale_bits: float
    bits_per_weight: float
    n_seeds: int


@dataclass(frozen=True)
class Best:
    """The best XOR point of one prune rate; means over `n_seeds` seeds, `*_spread` their sample deviation."""

    prune_rate: float
    method: str
    n_in: int
    n_out: int
    variant: str
    n_seeds: int
    dense_accuracy: float
    test_accuracy: float
    test_accuracy_spread: float | None
    is_accurate: bool
    code_bits: float
    patch_bits: float
    index_bits: float
    scale_bits: float
    bits_per_weight: float
    bits_per_weight_spread: float | None
    patches_per_slice: float
    matrix_bits: float
    value_bound: float
    baselines: tuple[Baseline, ...]

    @property
    def value_bits(self) -> float:
        return self.code_bits + self.patch_bits

    @property
    def sizes(self) -> dict[str, float]:
        """Bits per weight of the baselines by method."""
        return {baseline.method: baseline.bits_per_weight for baseline in self.baselines}

    @property
    def smallest(self) -> str:
        """The name of the codec with the fewest bits per weight, the XOR code included."""
        smallest = min(self.baselines, key=lambda baseline: baseline.bits_per_weight, default=None)
        if smallest is None or self.bits_per_weight <= smallest.bits_per_weight:
            return "XOR code"
        return smallest.name


def codec_name(method: str) -> str:
    """The reader's name of a method."""
    return CODEC_NAMES.get(method, method)


def per_point(table: pl.DataFrame) -> pl.DataFrame:
    """One row a point and method: all encoded layers of the model together, failed rows left out.

    Bits per weight are weighted by the layers' weights, patches by their slices. Added columns: `variant` and
    `model_variant`, the config values that tell apart points equal in prune rate and XOR shape ("" if none);
    `value_bound`, n_planes * kept / weights, which is 1 - S for one plane.
    """
    rows = table.filter(pl.col("status") == "ok")
    varied = _varied_keys(rows)
    rows = rows.with_columns(
        variant=pl.col("config").map_elements(lambda c: _variant(c, varied), return_dtype=pl.String),
        model_variant=pl.col("config").map_elements(
            lambda c: _variant(c, [key for key in varied if not is_coding_key(key)]), return_dtype=pl.String
        ),
        model_key=pl.col("config").map_elements(quantized_model_key, return_dtype=pl.String),
    )
    n_weights = pl.col("n_weights")
    first = ("prune_rate", "seed", "n_in", "n_out", "variant", "model_variant", "model_key")
    first += ("dense_accuracy", "test_accuracy", "dense_validation_accuracy", "validation_accuracy")
    return rows.group_by("point", "method", maintain_order=True).agg(
        *(pl.col(column).first() for column in first),
        *((pl.col(c) * n_weights).sum() / n_weights.sum() for c in (*STREAMS, "bits_per_weight")),
        # Once for all layers of a point.
        matrix_bits=(pl.col("matrix_bits") * n_weights).first() / n_weights.sum(),
        patches_per_slice=(pl.col("patches_per_slice") * pl.col("n_slices")).sum() / pl.col("n_slices").sum(),
        value_bound=(pl.col("n_kept") * pl.col("n_planes")).sum() / n_weights.sum(),
    )


def per_setting(points: pl.DataFrame) -> pl.DataFrame:
    """Means over seeds of the XOR points of `per_point`, `*_spread` (deviations), `n_seeds`."""
    means = (
        "dense_accuracy",
        "test_accuracy",
        "dense_validation_accuracy",
        "validation_accuracy",
        "matrix_bits",
        *STREAMS,
        "bits_per_weight",
        "patches_per_slice",
        "value_bound",
    )
    spreads = ("test_accuracy", "bits_per_weight", "patches_per_slice")
    return (
        points.filter(pl.col("n_out").is_not_null())
        .group_by(*SETTING, "model_variant")
        .agg(
            *(pl.col(column).mean() for column in means),
            *(pl.col(column).std().alias(f"{column}_spread") for column in spreads),
            n_seeds=pl.col("seed").n_unique(),
        )
        .sort(SETTING)
    )


def summarise(table: pl.DataFrame) -> list[Best]:
    """The best XOR point of every prune rate.

    It is the one with the smallest mean bits per weight among those whose mean validation accuracy is within
    `TOLERANCE` of the dense model's (nothing is chosen by the test split); where none is, the most accurate one
    (`is_accurate` False). XOR shapes of one quantized model share its accuracy, as decoding is lossless: among
    them the bits alone decide.
    """
    points = per_point(table)
    settings = per_setting(points).with_columns(
        is_accurate=pl.col("dense_validation_accuracy") - pl.col("validation_accuracy") <= TOLERANCE + 1e-9
    )
    best = []
    for _, group in settings.group_by("prune_rate", maintain_order=True):
        accurate = group.filter("is_accurate")
        chosen = accurate.sort("bits_per_weight", maintain_order=True)
        if accurate.is_empty():
            chosen = group.sort(
                pl.col("validation_accuracy").round(9),
                "bits_per_weight",
                descending=[True, False],
                maintain_order=True,
            )
        row = chosen.row(0, named=True)
        fields = {name: row[name] for name in Best.__dataclass_fields__ if name != "baselines"}
        best.append(Best(**fields, baselines=_baselines(points, row)))
    return best


def _baselines(points: pl.DataFrame, best: dict[str, Any]) -> tuple[Baseline, ...]:
    same_models = points.filter(
        pl.col("n_out").is_null(),
        pl.col("prune_rate") == best["prune_rate"],
        pl.col("model_variant") == best["model_variant"],
    )
    means = same_models.group_by("method", maintain_order=True).agg(
        *(pl.col(column).mean() for column in (*STREAMS, "bits_per_weight")),
        n_seeds=pl.col("seed").n_unique(),
    )
    return tuple(
        Baseline(name=codec_name(row["method"]), **row)
        for row in means.sort("bits_per_weight", maintain_order=True).iter_rows(named=True)
    )


def verdict(summary: list[Best]) -> str:
    """One honest statement on which codec is smallest."""
    rates: dict[str, list[str]] = {}
    for best in summary:
        rates.setdefault(best.smallest, []).append(f"{best.prune_rate:g}")
    case = (
        "a fixed rate and simple, parallel hardware for the code words; mask and patches are stored as serially as "
        "any other codec's"
    )
    if len(rates) > 1:
        winners = "; ".join(f"{name} at S = {', '.join(where)}" for name, where in rates.items())
    else:
        winners = next(iter(rates)) + (" at every prune rate" if len(summary) > 1 else "")
    if "XOR code" in rates:
        return f"The smallest codec is the {winners}. Beside its size the XOR code offers {case}."
    return f"The smallest codec is {winners}. The XOR code's case is not size but {case}."


def percent(mean: float, spread: float | None = None) -> str:
    """An accuracy in percent, with its spread where there is one."""
    return f"{100 * mean:.2f}" if spread is None else f"{100 * mean:.2f} ± {100 * spread:.2f}"


def summary_table(summary: list[Best]) -> RenderableType:
    """The summary for the terminal, a column each prune rate, and how to read it."""
    if not summary:
        return Text("No point has a result yet.")
    table = Table(title="Best XOR point of each prune rate", title_justify="left")
    table.add_column("prune rate S", no_wrap=True)
    for best in summary:
        table.add_column(f"{best.prune_rate:g}", justify="right", no_wrap=True)

    def line(name: str, show: Callable[[Best], str], style: str | None = None, last: bool = False) -> None:
        table.add_row(name, *(show(best) for best in summary), style=style, end_section=last)

    line("n_in → n_out", lambda best: f"{best.n_in} → {best.n_out}")
    if any(best.variant for best in summary):
        line("variant", lambda best: best.variant.replace(", ", "\n"))
    line("patches per slice", lambda best: f"{best.patches_per_slice:.2f}", last=True)
    line("dense accuracy %", lambda best: percent(best.dense_accuracy))
    line("test accuracy %", marked_accuracy, last=True)
    for stream in STREAMS:
        line(stream.replace("_", " "), lambda best, stream=stream: f"{getattr(best, stream):.3f}")
    line("XOR code, total", lambda best: f"{best.bits_per_weight:.3f}", "bold", last=True)
    methods = {baseline.method: baseline.name for best in summary for baseline in best.baselines}
    for method, name in methods.items():
        line(f"{name}, total", lambda best, method=method: three_digits(best.sizes.get(method)))
    return Group(table, *(Text(note, style="dim") for note in notes(summary)))


def marked_accuracy(best: Best) -> str:
    """Mean and spread of the accuracy in percent, marked where it is not close to the dense model's."""
    return percent(best.test_accuracy, best.test_accuracy_spread) + ("" if best.is_accurate else " *")


def three_digits(bits: float | None) -> str:
    """Bits per weight, a dash where there are none."""
    return "-" if bits is None else f"{bits:.3f}"


def notes(summary: list[Best]) -> list[str]:
    """The sentences without which the summary could be misread."""
    seeds = sorted({best.n_seeds for best in summary})
    over = " to ".join(str(n) for n in dict.fromkeys((seeds[0], seeds[-1])))
    means = f"Means over {over} seeds, ± the sample standard deviation."
    lines = [
        ("One seed." if seeds == [1] else means)
        + " Bits are per weight of the layers, pruned ones included.",
        "Accuracy does not depend on the XOR shape: decoding is lossless, so only the bits differ.",
    ]
    matrix = ", ".join(f"{best.matrix_bits:.3f} at S = {best.prune_rate:g}" for best in summary)
    lines.append(
        "The matrix M of the XOR network is not counted: it follows from a seed and serves any number of layers. "
        f"Stored for these layers alone it would add {matrix} bits per weight."
    )
    if not all(best.is_accurate for best in summary):
        lines.append(
            f"* no point within {100 * TOLERANCE:.2f} pp of the dense model on the validation split: the most "
            "accurate one there is shown."
        )
    return [*lines, verdict(summary)]


def _varied_keys(rows: pl.DataFrame) -> list[str]:
    """Config keys, not the seed, of several values among XOR points of one prune rate, n_in and n_out."""
    groups: dict[tuple, dict[str, set[str]]] = {}
    shapes = rows.filter(pl.col("n_out").is_not_null()).select("prune_rate", "n_in", "n_out", "config")
    for *shape, config in shapes.unique(maintain_order=True).iter_rows():
        seen = groups.setdefault(tuple(shape), {})
        for key, value in flat_config(config).items():
            seen.setdefault(key, set()).add(json.dumps(value))
    varied = {key for seen in groups.values() for key, values in seen.items() if len(values) > 1}
    return sorted(key for key in varied if key != "seed" and not is_place(key))


def _variant(config: str, keys: list[str]) -> str:
    flat = flat_config(config)
    return ", ".join(f"{key}={flat.get(key)}" for key in keys)
