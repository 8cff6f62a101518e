"""From result rows to what they say: the best XOR point of each prune rate and the baselines beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from xorjax.results.best import Baseline, Best
from xorjax.results.caps import COLUMNS, of_many, spread
from xorjax.results.names import APPROXIMATE_MASKS, SAME_MASK, codec_name
from xorjax.results.notes import TOLERANCE, notes, verdict
from xorjax.results.variants import SETTING, Varied, with_variants
from xorjax.streams import BIT_STREAMS


def per_point(table: pl.DataFrame, varied: Varied | None = None) -> pl.DataFrame:
    """One row a point and method: all encoded layers of the model together, failed rows left out.

    Bits per weight are weighted by the layers' weights, patches by their slices, `kept_score` by the kept weights.
    Added columns: those of `with_variants`, which has `varied`; `value_bound`, n_planes * kept / weights, which is
    1 - S for one plane.
    """
    rows = with_variants(table.filter(pl.col("status") == "ok"), varied)
    n_weights, n_kept = pl.col("n_weights"), pl.col("n_kept")
    first = ("prune_rate", "seed", "n_in", "n_out", "patch_format", "mask_codec", "variant")
    first += ("model_variant", "quantized")
    first += ("dense_accuracy", "test_accuracy", "dense_validation_accuracy", "validation_accuracy")
    return rows.group_by("point", "method", maintain_order=True).agg(
        *(pl.col(column).first() for column in first),
        *((pl.col(c) * n_weights).sum() / n_weights.sum() for c in (*BIT_STREAMS, "bits_per_weight")),
        # Once for all layers of a point.
        matrix_bits=(pl.col("matrix_bits") * n_weights).first() / n_weights.sum(),
        patches_per_slice=(pl.col("patches_per_slice") * pl.col("n_slices")).sum() / pl.col("n_slices").sum(),
        value_bound=(n_kept * pl.col("n_planes")).sum() / n_weights.sum(),
        kept_score=(pl.col("kept_score") * n_kept).sum() / n_kept.sum(),
        n_bounded=pl.col("n_bounded").sum(),
    )


def per_setting(points: pl.DataFrame) -> pl.DataFrame:
    """Means over seeds of the XOR points of `per_point`, `*_spread` (deviations), `n_seeds`, `point` (see `Best`)."""
    means = (
        "dense_accuracy",
        "test_accuracy",
        "dense_validation_accuracy",
        "validation_accuracy",
        "matrix_bits",
        *BIT_STREAMS,
        "bits_per_weight",
        "patches_per_slice",
        "value_bound",
        "kept_score",
    )
    spreads = ("test_accuracy", "bits_per_weight", "patches_per_slice")
    return (
        points.filter(pl.col("n_out").is_not_null())
        .group_by(*SETTING, "model_variant")
        .agg(
            *(pl.col(column).mean() for column in means),
            *(pl.col(column).std().alias(f"{column}_spread") for column in spreads),
            n_seeds=pl.col("seed").n_unique(),
            point=pl.col("point").sort_by("validation_accuracy", "seed", descending=[True, False]).first(),
        )
        .sort(SETTING)
    )


def summarise(table: pl.DataFrame) -> list[Best]:
    """The best XOR point of every prune rate.

    It is the one with the smallest mean bits per weight among those whose mean validation accuracy is within
    `TOLERANCE` of the dense model's (nothing is chosen by the test split); where none is, the most accurate one
    (`is_accurate` False). Codings of one quantized model share its accuracy, as decoding is lossless: among
    them the bits alone decide.
    """
    return summarise_points(per_point(table))


def summarise_points(points: pl.DataFrame) -> list[Best]:
    """`summarise` of what `per_point` gives."""
    settings = per_setting(points).with_columns(
        is_accurate=pl.col("dense_validation_accuracy") - pl.col("validation_accuracy") <= TOLERANCE + 1e-9
    )
    best = []
    for _, group in settings.group_by("prune_rate", maintain_order=True):
        pool = group.filter("is_accurate")
        if pool.is_empty():
            accuracy = pl.col("validation_accuracy").round(9)
            pool = group.filter(accuracy.eq_missing(accuracy.max()))
        row = pool.sort("bits_per_weight", maintain_order=True).row(0, named=True)
        others = {
            "baselines": _baselines(points, row),
            "bounded": _bounded(points, row["prune_rate"]),
            "least_with_matrix": _least_with_matrix(pool),
        }
        fields = {name: row[name] for name in Best.__dataclass_fields__ if name not in others}
        best.append(Best(**fields, **others))
    return best


def of_setting(points: pl.DataFrame, setting: "Best | dict[str, Any]") -> pl.DataFrame:
    """The points of `per_point` with this setting, one a seed."""
    values = setting if isinstance(setting, dict) else vars(setting)
    return points.filter(*(pl.col(name) == values[name] for name in SETTING))


def _baselines(points: pl.DataFrame, best: dict[str, Any]) -> tuple[Baseline, ...]:
    models = of_setting(points, best)["quantized"].to_list()
    same_models = points.filter(pl.col("n_out").is_null(), pl.col("quantized").is_in(models))
    means = same_models.group_by("method", maintain_order=True).agg(
        *(pl.col(column).mean() for column in (*BIT_STREAMS, "bits_per_weight")),
        n_seeds=pl.col("seed").n_unique(),
    )
    baselines = [Baseline(name=codec_name(row["method"]), **row) for row in means.iter_rows(named=True)]
    # The rows' codecs store any mask exactly, which for one that a code can tell in fewer bits is no rival.
    if best["mask_codec"] in APPROXIMATE_MASKS:
        baselines.append(_same_mask(best))
    return tuple(sorted(baselines, key=lambda baseline: baseline.bits_per_weight))


def _same_mask(best: dict[str, Any]) -> Baseline:
    """The mask as the point stores it, and behind it the kept signs as they are: a bit each, which needs no run."""
    kept, index, scale = best["value_bound"], best["index_bits"], best["scale_bits"]
    bits = (kept, 0.0, index, scale, kept + index + scale)
    return Baseline("mask_signs", SAME_MASK, *bits, best["n_seeds"])


def _least_with_matrix(pool: pl.DataFrame) -> tuple[str, float]:
    total = pl.col("bits_per_weight") + pl.col("matrix_bits")
    row = pool.with_columns(total=total).sort("total", maintain_order=True).row(0, named=True)
    return f"{row['n_in']} → {row['n_out']}", row["total"]


def _bounded(points: pl.DataFrame, prune_rate: float) -> tuple[tuple[str, int], ...]:
    chosen = points.filter(pl.col("prune_rate") == prune_rate, pl.col("n_bounded") > 0)
    return tuple(chosen.select("point", "n_bounded").iter_rows())


def percent(mean: float, spread: float | None = None) -> str:
    """An accuracy in percent, with its spread where there is one."""
    return f"{100 * mean:.2f}" if spread is None else f"{100 * mean:.2f} ± {100 * spread:.2f}"


@dataclass(frozen=True)
class SummaryTable:
    """The summary for the terminal, a column each prune rate, and how to read it.

    Of many prune rates as many are shown as the terminal has room for: no number is cut.
    """

    summary: list[Best]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.summary:
            yield Text("No point has a result yet.")
            return
        anything = options.update(max_width=10_000)
        for n in range(min(len(self.summary), COLUMNS), 0, -1):
            table = _table(spread(self.summary, n))
            if Measurement.get(console, anything, table).maximum <= options.max_width:
                break
        yield table
        more = of_many(len(self.summary), n, "prune rates, evenly spread; all are in the report").strip()
        for note in [*([more] if more else []), *notes(self.summary), verdict(self.summary)]:
            yield Text(note, style="dim")


def _table(shown: list[Best]) -> Table:
    table = Table(title="Best XOR point of each prune rate", title_justify="left")
    table.add_column("prune rate S", no_wrap=True)
    for best in shown:
        table.add_column(f"{best.prune_rate:g}", justify="right", no_wrap=True)

    def line(name: str, show: Callable[[Best], str], style: str | None = None, last: bool = False) -> None:
        table.add_row(name, *(show(best) for best in shown), style=style, end_section=last)

    line("n_in → n_out", lambda best: best.shape)
    line("method", lambda best: best.method)
    line("patch format", lambda best: best.patch_format)
    line("mask codec", lambda best: best.mask_codec)
    if any(best.variant for best in shown):
        line("variant", lambda best: best.variant.replace(", ", "\n"))
    line("patches per slice", lambda best: f"{best.patches_per_slice:.2f}", last=True)
    line("dense accuracy %", lambda best: percent(best.dense_accuracy))
    spreads = any(best.test_accuracy_spread is not None for best in shown)
    line("test accuracy %", lambda best: percent(best.test_accuracy) + best.mark, last=not spreads)
    if spreads:
        line("± over seeds", lambda best: _deviation(best.test_accuracy_spread), last=True)
    for stream in BIT_STREAMS:
        line(stream.replace("_", " "), lambda best, stream=stream: f"{getattr(best, stream):.3f}")
    line("XOR code, total", lambda best: f"{best.bits_per_weight:.3f}", "bold")
    line("total with M", lambda best: three_digits(best.with_matrix), last=True)
    methods = {baseline.method: baseline.name for best in shown for baseline in best.baselines}
    for method, name in methods.items():
        line(f"{name}, total", lambda best, method=method: three_digits(best.sizes.get(method)))
    return table


def marked_accuracy(best: Best) -> str:
    """Mean and spread of the accuracy in percent, marked where it is not close to the dense model's."""
    return percent(best.test_accuracy, best.test_accuracy_spread) + best.mark


def _deviation(spread: float | None) -> str:
    return "-" if spread is None else percent(spread)


def three_digits(bits: float | None) -> str:
    """Bits per weight, a dash where there are none."""
    return "-" if bits is None else f"{bits:.3f}"
