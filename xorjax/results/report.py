"""One self-contained page of an experiment, rebuilt from the points on disk as they finish."""

from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from xorjax.files import replacing
from xorjax.results import page
from xorjax.results.collect import Experiment, read_experiment, tabulate, write_table
from xorjax.results.notes import TOLERANCE, verdict
from xorjax.results.sections import count, glossary, result_sections, settings
from xorjax.results.tables import Best, percent, summarise

DISPLAY_NAMES = {"lenet5": "LeNet-5", "lenet300": "LeNet-300-100", "mnist": "MNIST"}

# The columns of the page's table and the digits after their point (0: as it is, None: text).
DIGITS: dict[str, int | None] = dict.fromkeys(("layer", "method"))
DIGITS |= {"seed": 0, "prune_rate": 0, "n_in": 0, "n_out": 0, "dense_accuracy": 4, "pruned_accuracy": 4}
DIGITS |= {"test_accuracy": 4, "code_bits": 4, "patch_bits": 4, "index_bits": 4, "scale_bits": 4}
DIGITS |= {"bits_per_weight": 4, "patches_per_slice": 2, "lossless": None, "file_bytes": 0, "wall_seconds": 1}
DIGITS |= {"n_bounded": 0, "kept_score": 4}
DIGITS |= dict.fromkeys(("patch_format", "mask_codec", "quantized", "status", "point", "command"))


def build_report(report_dir: Path) -> Path:
    """Write results.parquet, results.csv and report.html of the experiment in `report_dir`; returns the page.

    Works from one finished point on, and before it. Raises `CollectError` naming a file that cannot be read.
    """
    experiment = read_experiment(report_dir)
    table = tabulate(experiment)
    write_table(table, report_dir)
    path = report_dir / "report.html"
    text = _render(experiment, table, runs_dir=report_dir.parent.parent)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _render(experiment: Experiment, table: pl.DataFrame, runs_dir: Path) -> str:
    results = table.filter(pl.col("status") == "ok")
    summary = summarise(table)
    parts = [_header(experiment, results, summary)]
    sections = [_progress(experiment, table)]
    if summary:
        sections += result_sections(experiment, results, summary, runs_dir)
        sections += [glossary(), settings(experiment, results)]
    sections.append(_rows(table))
    parts += [_navigation(sections), *sections]
    scripts = [
        page.resource("plots.js"),
        page.script_data("ROWS", _row_data(table)),
        page.resource("report.js"),
    ]
    if summary:
        from plotly.offline import get_plotlyjs

        scripts.insert(0, get_plotlyjs())
    return page.document(f"{experiment.name}: xorjax", "\n".join(parts), scripts)


def _header(experiment: Experiment, results: pl.DataFrame, summary: list[Best]) -> str:
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
    layers = ", ".join(results["layer"].unique(maintain_order=True))
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
    found = (
        f"{start}{percent(best.test_accuracy, best.test_accuracy_spread)} % against "
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


def _progress(experiment: Experiment, table: pl.DataFrame) -> str:
    n, done = max(len(experiment.planned), 1), len(experiment.points)
    failed = [point for point in experiment.points if point.status == "failed"]
    state = f"{done:,} of {count(len(experiment.planned), 'point')} finished, {len(failed) or 'none'} failed."
    widths = {"": 100 * (done - len(failed)) / n, "failed": 100 * len(failed) / n}
    bars = "".join(f'<i class="{kind}" style="width:{width:.2f}%"></i>' for kind, width in widths.items())
    parts = [page.paragraph(state), f'<div class="progress">{bars}</div>']
    for point in failed:
        commands = table.filter(pl.col("point") == point.name, pl.col("status") == "failed")["command"]
        command = next((text for text in commands if text), experiment.command)
        parts.append(page.failure(point.name, point.error or "no message", command))
    if failed:
        parts.append(page.paragraph("Repeat the command of the sweep to run failed points again.", "caption"))
    return page.section("progress", "Progress", *parts)


def _rows(table: pl.DataFrame) -> str:
    heads = "".join(
        f'<th tabindex="0" class="{"text" if digits is None else ""}">{name}</th>'
        for name, digits in DIGITS.items()
    )
    return page.section(
        "rows",
        "All rows",
        "<p>One row a layer and codec; bits are per weight, accuracies fractions. Click a heading to sort. "
        "The whole table, with every setting, is beside this file: "
        '<a href="results.csv">results.csv</a>, <a href="results.parquet">results.parquet</a>.</p>',
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody></tbody></table></div>',
        "<button hidden></button>",
    )


def _row_data(table: pl.DataFrame) -> dict[str, Any]:
    floats = [pl.col(name).round(digits) for name, digits in DIGITS.items() if digits]
    shown = table.with_columns(
        *floats, lossless=pl.col("lossless").replace_strict({True: "yes", False: "NO"})
    )
    return {
        "columns": list(DIGITS),
        "digits": list(DIGITS.values()),
        "rows": [list(row) for row in shown.select(*DIGITS).iter_rows()],
    }


def _navigation(sections: list[str]) -> str:
    names = [text.split('"', 2)[1] for text in sections]
    links = "".join(f'<a href="#{name}">{name.capitalize()}</a>' for name in names)
    return f"<nav>{links}</nav>"
