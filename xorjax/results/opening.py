"""What stands first on the report: what was done, the best of what came of it, and how far the sweep is."""

from collections.abc import Callable, Sequence
from html import escape

import polars as pl

from xorjax.results import page
from xorjax.results.best import Baseline, Best
from xorjax.results.collect import Experiment, split_sizes
from xorjax.results.losses import heading
from xorjax.results.names import example, trained_codes
from xorjax.results.page import Column, count
from xorjax.results.summary import number
from xorjax.results.tables import summarise_points

DISPLAY_NAMES = {
    "lenet5": "LeNet-5",
    "lenet5_wide": "LeNet-5 (wide)",
    "lenet300": "LeNet-300-100",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
}
GUESSING = 0.2
"""A dense network of less accuracy has learned nothing that pruning could lose: ten classes are guessed at .1."""
FEWEST_EXAMPLES = 5
"""A tolerance of fewer examples of the validation split than these tells nothing."""
BITS_OF_FLOAT32 = 32


def opening(
    experiment: Experiment, results: pl.DataFrame, points: pl.DataFrame, summary: Sequence[Best]
) -> str:
    """The title, why nothing can be told where that is so, and three lines: best searched, best trained, best other."""
    title = experiment.name
    if summary:
        kind = "XOR-coded" if all(best.code == "xor" for best in summary) else "Coded"
        title = f"{kind} weights of {_names(results['model'])} on {_names(results['dataset'])}"
    about = page.paragraph(" · ".join(_about(experiment, results)), "meta")
    lines = [f"<header>\n<h1>{escape(title)}</h1>", about]
    lines += [page.paragraph(text, "lead bad") for text in _warnings(results, summary)]
    if summary:
        n_test = " or ".join(f"{n:,}" for n in sorted(results["n_test"].drop_nulls().unique()))
        lines.append(_three_lines(points, summary, n_test))
    elif not experiment.planned or len(experiment.failed) < len(experiment.planned):
        lines.append(page.paragraph("No point of this experiment has a result yet.", "lead"))
    return "\n".join(filter(None, lines)) + "\n</header>"


def _names(ids: pl.Series) -> str:
    names: list[str] = ids.unique().sort().to_list()
    return " and ".join(DISPLAY_NAMES.get(name, name) for name in names)


def state(experiment: Experiment) -> str:
    """How many points are there."""
    n_failed, n_planned = len(experiment.failed), count(len(experiment.planned), "point")
    n_finished = len(experiment.points) - n_failed
    return f"{n_finished:,} of {n_planned} finished, {n_failed or 'none'} failed"


def _about(experiment: Experiment, results: pl.DataFrame) -> list[str]:
    """A line of what was done."""
    found = [f"experiment {experiment.name}", state(experiment)]
    swept = list(experiment.swept.items())[:6]
    found += [f"{count(len(values), 'value')} of {key}" for key, values in swept if len(values) > 1]
    if finished := results["finished_at"].max():
        found.append(f"last result {str(finished)[:16].replace('T', ' ')} UTC")
    if experiment.unfinished:
        found.append("provisional, reload to follow")
    return found


def _warnings(results: pl.DataFrame, summary: Sequence[Best]) -> list[str]:
    """Why what follows cannot be told, or is wrong."""
    if not summary:
        return []
    codes, metric, found = results.filter(~pl.col("baseline")), summary[0].metric, []
    n_validation, noun = split_sizes(codes)["validation"], example(codes["task"])
    told_by = metric.tolerance * n_validation if metric.unit == "%" and n_validation else FEWEST_EXAMPLES
    if told_by < FEWEST_EXAMPLES:
        found.append(
            f"Cannot choose: the tolerance of {metric.difference(metric.tolerance)} is {told_by:.3g} of "
            f"{n_validation:,} validation {noun}s, {FEWEST_EXAMPLES} are needed; raise data.n_validation."
        )
    if metric.name == "accuracy" and summary[0].dense_metric < GUESSING:
        found.append(
            f"Cannot tell: the dense network is right in {metric.text(summary[0].dense_metric)} of the {noun}s, about "
            "what guessing reaches."
        )
    if wrong := codes.filter(~pl.col("lossless"))["point"].n_unique():
        found.append(f"A defect: {count(wrong, 'point')} decoded to other signs than the quantized ones.")
    return found


def _three_lines(points: pl.DataFrame, summary: Sequence[Best], n_test: str) -> str:
    metric = summary[0].metric
    is_trained = pl.col("code").is_in(list(trained_codes()))
    rows: list[tuple[str, Best, Best | Baseline, str]] = []
    for name, own in (("best searched", ~is_trained), ("best trained", is_trained)):
        if found := summarise_points(points.filter(pl.col("baseline") | own)):
            best = _choose(found)
            rows.append((name, best, best, best.said))
    # Where none is close, beside what stands above.
    beside = [best for best in summary if best.is_close] or [_choose([best for _, best, _, _ in rows])]
    if others := [(best, other) for best in beside for other in best.baselines]:
        best, other = min(others, key=lambda pair: pair[1].bits_per_weight)
        rows.append(("best other codec", best, other, f"S {best.prune_rate:g}, {other.best or other.name}"))
    given = []

    def add(name: str, text: Callable[[Best, Best | Baseline], str], kind: str = "") -> None:
        given.append(Column(name, [(text(best, of), kind) for _, best, of, _ in rows]))

    # What matters first: a narrow window shows no more.
    given.append(Column("", [(f"{name}\n{said}", "text wrap two") for name, _, _, said in rows]))
    add("bits / weight", lambda best, of: number(of.bits_per_weight), "strong")
    add(heading(metric), lambda best, of: best.loss.number(metric), "strong")
    add("file, bytes", lambda best, of: number(of.file_bytes, ",.0f"))
    add(f"test {metric.label}", lambda best, of: best.tested)
    add("reference", lambda best, of: metric.number(best.reference_metric))
    add("seeds", lambda best, of: str(best.n_seeds))
    add("float32 / coded", lambda best, of: number(BITS_OF_FLOAT32 / of.bits_per_weight, ".0f"))
    return page.table("the best", given) + page.paragraph(
        f"Each the smallest whose validation {metric.name} is within {metric.difference(metric.tolerance)} "
        f"of its reference's, or where none is (*) the best there; tested on {n_test} examples.",
        "caption",
    )


def _choose(found: Sequence[Best]) -> Best:
    """The smallest that is close; where none is, the one that loses least by validation."""
    if close := [best for best in found if best.is_close]:
        return min(close, key=lambda best: best.bits_per_weight)

    def loss(best: Best) -> float:
        validated, reference = best.validation_metric, best.reference_validation_metric
        if validated is None or reference is None:
            return float("inf")
        return best.metric.loss(validated, reference)

    return min(found, key=loss)
