"""What stands first on the report: what was done, what came of it, how far the sweep is."""

from html import escape

import polars as pl

from xorjax.results import page
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment
from xorjax.results.notes import TOLERANCE, verdict
from xorjax.results.page import count
from xorjax.results.tables import Best, percent

DISPLAY_NAMES = {"lenet5": "LeNet-5", "lenet300": "LeNet-300-100", "mnist": "MNIST"}
FAILURES = 50
"""Failed points shown with their message; the table of all rows has the others."""


def header(experiment: Experiment, results: pl.DataFrame, summary: list[Best]) -> str:
    """The title, and the headline in a few sentences."""
    title = experiment.name
    if summary:
        title = f"XOR-coded weights of {_names(results['model'])} on {_names(results['dataset'])}"
    finished = results["finished_at"].max()
    meta = f"experiment {experiment.name}" + (f" · last result {finished}" if finished else "")
    lines = [f"<header>\n<h1>{escape(title)}</h1>", page.paragraph(meta, "meta")]
    lines += [page.paragraph(text, "lead") for text in _headline(experiment, results, summary)]
    return "\n".join(lines) + "\n</header>"


def _names(ids: pl.Series) -> str:
    names: list[str] = sorted(set(ids))
    return " and ".join(DISPLAY_NAMES.get(name, name) for name in names)


def _headline(experiment: Experiment, results: pl.DataFrame, summary: list[Best]) -> list[str]:
    if not summary:
        return ["No point of this experiment has a result yet."]
    codes = results.filter(pl.col("n_out").is_not_null())
    shapes = codes.select("prune_rate", "n_in", "n_out").n_unique()
    layers = listed(results["layer"].unique(maintain_order=True).to_list())
    what = (
        f"Most weights of {layers} were pruned, the kept ones quantized to signs, the signs stored with "
        f"the XOR code. {count(codes['point'].n_unique(), 'point')}: {count(len(summary), 'prune rate')}, "
        f"{count(shapes, 'pair')} of prune rate and XOR shape, {count(codes['seed'].n_unique(), 'seed')}."
    )
    accurate = [best for best in summary if best.is_accurate]
    allowed = f"the validation accuracy within {100 * TOLERANCE:.2f} pp of the dense network's"
    if accurate:
        best = accurate[-1]
        start = f"The highest prune rate that keeps {allowed} is S = {best.prune_rate:g}, with a test accuracy of "
    else:
        best = summary[0]
        start = f"No prune rate keeps {allowed}; at S = {best.prune_rate:g} the test accuracy is "
    images = " or ".join(f"{n:,}" for n in sorted(codes["n_test"].drop_nulls().unique()))
    found = (
        f"{start}{percent(best.test_accuracy, best.test_accuracy_spread)} % of {images} images against "
        f"{percent(best.dense_accuracy)} %, at {best.bits_per_weight:.3f} bits per weight "
        f"({best.value_bits:.3f} for the values, {best.index_bits:.3f} for the mask, {best.scale_bits:.3f} for "
        "the scales)."
    )
    wrong = codes.filter(~pl.col("lossless"))["point"].n_unique()
    check = "Every decoded care bit equals the quantized one."
    if wrong:
        check = f"{count(wrong, 'point')} decoded to other signs than the quantized ones: a defect."
    coded = (
        count(codes[column].n_unique(), noun)
        for column, noun in (
            ("method", "method"),
            ("patch_format", "patch format"),
            ("mask_codec", "mask codec"),
        )
        if codes[column].n_unique() > 1
    )
    if compared := ", ".join(coded):
        what = f"{what[:-1]}, {compared}."
    texts = [what, f"{found} {verdict(summary)} {check}"]
    if experiment.unfinished:
        texts.append(
            "The sweep has not finished: these figures are provisional. Reload the page to follow it."
        )
    return texts


def progress(experiment: Experiment, table: pl.DataFrame) -> str:
    """How many points have finished, and what those say that failed."""
    n = max(len(experiment.planned), 1)
    failed = [point for point in experiment.points if point.status == "failed"]
    n_finished = len(experiment.points) - len(failed)
    state = f"{n_finished:,} of {count(len(experiment.planned), 'point')} finished, {len(failed) or 'none'} failed."
    widths = {"": 100 * n_finished / n, "failed": 100 * len(failed) / n}
    bars = "".join(f'<i class="{kind}" style="width:{width:.2f}%"></i>' for kind, width in widths.items())
    parts = [page.paragraph(state), f'<div class="progress">{bars}</div>']
    of_failed = table.filter(pl.col("status") == "failed", pl.col("command").is_not_null())
    commands = dict(of_failed.select("point", "command").iter_rows())
    for point in failed[:FAILURES]:
        command = commands.get(point.name, experiment.command)
        parts.append(page.failure(point.name, point.error or "no message", command))
    if failed:
        more = len(failed) - FAILURES
        others = f" {count(more, 'more failed point')} in the table of all rows." if more > 0 else ""
        again = f"Repeat the command of the sweep to run failed points again.{others}"
        parts.append(page.paragraph(again, "caption"))
    return page.section("progress", "Progress", *parts)
