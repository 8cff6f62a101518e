"""What stands first on the report: what was done, and what came of it."""

from html import escape

import polars as pl

from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment, split_sizes
from xorjax.results.names import example, own_code
from xorjax.results.notes import verdict
from xorjax.results.page import count
from xorjax.results.progress_section import is_done, state

DISPLAY_NAMES = {
    "lenet5": "LeNet-5",
    "lenet5_wide": "LeNet-5 (wide)",
    "lenet300": "LeNet-300-100",
    "mnist": "MNIST",
}
GUESSING = 0.2
"""A dense network of less accuracy has learned nothing that pruning could lose: ten classes are guessed at .1."""
FEWEST_EXAMPLES = 5
"""A tolerance of fewer examples of the validation split than these tells nothing."""

BITS_OF_FLOAT32 = 32


def header(experiment: Experiment, results: pl.DataFrame, points: pl.DataFrame, summary: list[Best]) -> str:
    """The title, and the headline in a few sentences."""
    title = experiment.name
    if summary:
        kind = "XOR-coded" if all(best.code == "xor" for best in summary) else "Coded"
        title = f"{kind} weights of {_names(results['model'])} on {_names(results['dataset'])}"
    finished = results["finished_at"].max()
    meta = f"experiment {experiment.name}" + (f" · last result {finished}" if finished else "")
    if is_done(experiment):
        # Nothing more to say of it: there is no section then.
        meta += f" · {state(experiment)}"
    lines = [f"<header>\n<h1>{escape(title)}</h1>", page.paragraph(meta, "meta")]
    lines += [page.paragraph(text, "lead") for text in _headline(experiment, results, points, summary)]
    return "\n".join(lines) + "\n</header>"


def _nothing(experiment: Experiment) -> str:
    n_failed = len(experiment.failed)
    if n_failed and n_failed == len(experiment.planned):
        return (
            f"{'The one point' if n_failed == 1 else f'All {n_failed:,} points'} of this experiment failed."
        )
    failed = f" {count(n_failed, 'point')} failed." if n_failed else ""
    return f"No point of this experiment has a result yet.{failed}"


def _names(ids: pl.Series) -> str:
    names: list[str] = sorted(set(ids))
    return " and ".join(DISPLAY_NAMES.get(name, name) for name in names)


def _headline(
    experiment: Experiment, results: pl.DataFrame, points: pl.DataFrame, summary: list[Best]
) -> list[str]:
    if not summary:
        return [_nothing(experiment)]
    codes, metric = results.filter(~pl.col("baseline")), summary[0].metric
    own = own_code(codes["code"])
    settings = points.filter(~pl.col("baseline"))
    shapes = settings.select("prune_rate", "n_in", "asked").drop_nulls("n_in").n_unique()
    pairs = f"{count(shapes, 'pair')} of prune rate and XOR shape, " if shapes else ""
    layers = listed(results["layer"].unique(maintain_order=True).to_list())
    what = (
        f"Most weights of {layers} were pruned, the kept ones quantized to signs, the signs stored with "
        f"the {own}. {count(codes['point'].n_unique(), 'point')}: {count(len(summary), 'prune rate')}, "
        f"{pairs}{count(codes['seed'].n_unique(), 'seed')}."
    )
    close = [best for best in summary if best.is_close]
    tolerated = metric.difference(metric.tolerance)
    allowed = f"the validation {metric.name} within {tolerated} of the reference's"
    if close:
        best = close[-1]
        start = f"The highest prune rate that keeps {allowed} is S = {best.prune_rate:g}, with a test {metric.name} of "
    else:
        best = summary[0]
        start = f"No prune rate keeps {allowed}. At S = {best.prune_rate:g} the "
        validated = [best.validation_metric, best.reference_validation_metric]
        if None not in validated:
            measured, reference = (metric.text(value) for value in validated if value is not None)
            start += f"validation {metric.name} is {measured} against {reference}, the "
        start += f"test {metric.name} is "
    n_validation = split_sizes(codes)["validation"]
    unresolved, noun = "", example(codes["task"])
    if metric.unit == "%" and n_validation and (told_by := metric.tolerance * n_validation) < FEWEST_EXAMPLES:
        of = f"{told_by:.3g} of the {n_validation:,} validation {noun}s"
        unresolved = f" ({tolerated} are {of}, too few to tell.)"
    examples = " or ".join(f"{n:,}" for n in sorted(codes["n_test"].drop_nulls().unique()))
    tested = f"{metric.number(best.test_metric, best.test_metric_spread)} {metric.unit}".strip()
    whole = best.file_bits_per_parameter
    of_file = "" if whole is None else f" The whole file takes {whole:.3f} bits per parameter of the model."
    found = (
        f"{start}{tested} of {examples} {noun}s against {metric.text(best.reference_metric)} of the reference, the "
        f"dense network ({metric.text(best.dense_metric)}) trained on in the same way: loss {best.loss.text(metric)}, "
        f"at {best.bits_per_weight:.3f} bits per weight "
        f"({best.value_bits:.3f} for the values, {best.index_bits:.3f} for the mask, {best.scale_bits:.3f} for "
        f"the scales): about {BITS_OF_FLOAT32 / best.bits_per_weight:.0f} times fewer than float32, for the compressed "
        f"layers alone.{of_file}{unresolved}"
    )
    wrong = codes.filter(~pl.col("lossless"))["point"].n_unique()
    check = "Every decoded care bit equals the quantized one."
    if wrong:
        check = f"{count(wrong, 'point')} decoded to other signs than the quantized ones: a defect."
    coded = codes.select("code", "method", "patch_format", "mask_codec")
    several = {column.name: n for column in coded if (n := column.drop_nulls().n_unique()) > 1}
    if compared := ", ".join(count(n, name.replace("_", " ")) for name, n in several.items()):
        what = f"{what[:-1]}, {compared}."
    what += " A point is one setting and one seed."
    texts = [what, found, f"{verdict(summary)} {check}"]
    if metric.name == "accuracy" and best.dense_metric < GUESSING:
        texts.insert(
            1,
            f"The dense network itself is right in {metric.text(best.dense_metric)} of the {noun}s only, about what "
            "guessing reaches: the accuracies below say nothing of pruning or coding.",
        )
    if experiment.unfinished:
        texts.append(
            "The sweep has not finished: these figures are provisional. Reload the page to follow it."
        )
    return texts
