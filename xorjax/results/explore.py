"""The report's section of all points: bits against accuracy, filters for the figure and the table below it."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from xorjax.results import embedded, page
from xorjax.results.caps import spread
from xorjax.results.names import CODEC_NAMES, codec_name
from xorjax.results.palette import colours
from xorjax.results.variants import SETTING, said

# The columns of the page's table and the digits after their point (0: as it is, None: text).
DIGITS: dict[str, int | None] = {"layer": None, "method": None, "seed": 0, "prune_rate": 0, "n_in": 0}
DIGITS |= {"n_out": 0, "validation_accuracy": 4, "test_accuracy": 4, "code_bits": 4, "patch_bits": 4}
DIGITS |= {"index_bits": 4, "scale_bits": 4, "bits_per_weight": 4, "patches_per_slice": 2}
DIGITS |= {"patch_format": None, "mask_codec": None, "dense_accuracy": 4, "pruned_accuracy": 4}
DIGITS |= {"lossless": None, "n_weights": 0, "n_kept": 0, "kept_score": 4, "n_bounded": 0, "file_bytes": 0}
DIGITS |= {"wall_seconds": 1, "quantized": None, "status": None, "point": None, "command": None}
# Printed: what fits on paper.
PRINTED = tuple(DIGITS)[:14]
ORIGIN = "origin"
"""The column of `marked`; a table without it has no such filter."""
FILTERS = {
    "prune_rate": ("S", "prune rate S"),
    "n_in": ("n_in", "n_in"),
    "method": ("codec", "codec"),
    "mask_codec": ("mask", "mask codec"),
    "patch_format": ("patch", "patch format"),
    "seed": ("seed", "seed"),
    ORIGIN: ("origin", "made by"),
}
"""Column -> its name in the page's address, and for readers."""
BOXES = 24
"""Values of a filter that get a box each; more numbers than that are chosen by their least and largest."""
# Plotly's markers and the same signs as letters: filled for the XOR code, open for the codecs without an XOR network.
MARKS = {"minimum": ("circle", "●"), "greedy": ("square", "■")}
OTHERS = (
    *(("square-open", "□"), ("diamond-open", "◇"), ("triangle-up-open", "△"), ("triangle-down-open", "▽")),
    *(("star-open", "☆"), ("circle-open", "○")),
)


def marked(table: pl.DataFrame, searched: Collection[str]) -> pl.DataFrame:
    """The rows with a column that says whether a search or a sweep made their point, if a search made any.

    Other codecs than the XOR code are of a network, whoever coded it first.
    """
    if not searched:
        return table
    origin = pl.when(pl.col("point").is_in(list(searched))).then(pl.lit("search")).otherwise(pl.lit("sweep"))
    return table.with_columns(pl.when(pl.col("n_out").is_not_null()).then(origin).alias(ORIGIN))


def explore(table: pl.DataFrame, points: pl.DataFrame) -> str:
    """The section.

    Args:
        table: all rows, as `marked` gives them.
        points: as `tables.per_point` gives them, empty if none has finished.
    """
    parts = [_filters(table)]
    if not points.is_empty():
        parts += [_pareto(points), _front()]
        if table["layer"].n_unique() > 1:
            parts.append(_layers())
    return page.section("points", "All points", *parts, *_rows(table))


def data(table: pl.DataFrame, points: pl.DataFrame) -> dict[str, Any]:
    """What the section's scripts read: the rows, the points of the figure, its colours and marks."""
    shown = table.with_columns(
        lossless=pl.col("lossless").replace_strict({True: "yes", False: "NO"}, return_dtype=pl.String)
    )
    first = table.with_row_index("row").group_by("point", "method").agg(pl.col("row").min())
    points = points.join(first, on=["point", "method"], how="left", maintain_order="left")
    methods = points["method"].unique(maintain_order=True).to_list()
    rates = {_value(rate): colour for rate, colour in colours(points["prune_rate"].to_list()).items()}
    columns = embedded.columns(points, {"row": 0, "bits_per_weight": 5})
    columns |= embedded.columns(points, {"validation_accuracy": 5, "test_accuracy": 5})
    # Points that differ in the seed alone.
    alike: dict[tuple, int] = {}
    keys = points.select(*SETTING, "model_variant").iter_rows()
    columns["alike"] = {"values": [alike.setdefault(key, len(alike)) for key in keys]}
    # Signs without a mask are those of a network that nobody trained: no accuracy belongs to their size.
    known = points["test_accuracy"].is_not_null()
    columns["validation_accuracy"]["values"] = (
        points["validation_accuracy"].set(~known, None).round(5).to_list()
    )
    settings = [said(row) for row in points.select(SETTING).iter_rows()]
    return {
        "n": table.height,
        "columns": embedded.columns(shown, _columns(table)),
        "printed": list(PRINTED),
        "filters": {column: name for column, (name, _) in FILTERS.items() if column in table.columns},
        "points": columns | {"setting": embedded.text(pl.Series(settings, dtype=pl.String))},
        "colours": rates,
        "marks": {
            method: {"name": codec_name(method), "symbol": symbol}
            for method, (symbol, _) in _marks(methods).items()
        },
    }


def _columns(table: pl.DataFrame) -> dict[str, int | None]:
    return DIGITS | ({ORIGIN: None} if ORIGIN in table.columns else {})


def _marks(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    others = [method for method in CODEC_NAMES if method in methods]
    own = {method: MARKS[method] for method in MARKS if method in methods}
    return own | {method: OTHERS[list(CODEC_NAMES).index(method) % len(OTHERS)] for method in others}


def _filters(table: pl.DataFrame) -> str:
    fields = [
        _filter(table[column], name, title)
        for column, (name, title) in FILTERS.items()
        if column in table.columns
    ]
    return (
        '<form id="filters" aria-label="Filters of the figure and of the table">'
        f'{"".join(fields)}<p class="buttons"><button type="reset">Show all</button> '
        '<button type="button" id="share">Copy the link to this view</button> '
        '<span id="shown" role="status"></span></p></form>'
    )


def _filter(column: pl.Series, name: str, title: str) -> str:
    values = column.drop_nulls().unique().sort().to_list()
    if name == "codec":
        values = list(_marks(values))
    if len(values) < 2:
        return ""
    legend = f"<legend>{escape(title)}</legend>"
    if column.dtype.is_numeric() and len(values) > BOXES:
        ends = zip(("from", "to"), (values[0], values[-1]), strict=True)
        boxes = "".join(
            f'<label>{word} <input type="number" step="any" name="{name}" data-end="{word}" '
            f'placeholder="{value:g}"></label>'
            for word, value in ends
        )
        return f"<fieldset>{legend}{boxes}</fieldset>"
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{escape(_value(value))}">'
        f"{escape(codec_name(_value(value)) if name == 'codec' else _value(value))}</label>"
        for value in values
    )
    return f"<fieldset>{legend}{boxes}</fieldset>"


def _value(value: object) -> str:
    """As JavaScript says it."""
    return str(value).removesuffix(".0")


def _pareto(points: pl.DataFrame) -> str:
    drawn = points.filter(pl.col("test_accuracy").is_not_null())
    marks = _marks(drawn["method"].unique(maintain_order=True).to_list())
    rates, seeds = colours(points["prune_rate"].to_list()), points["seed"].n_unique()
    signs = {codec_name(method): (sign, "var(--ink)") for method, (_, sign) in marks.items()}
    return "\n".join(
        (
            "<h3>Bits against accuracy</h3>",
            '<div id="axes">',
            _choice("axis", "Accuracy", {"validation": "validation", "test": "test"}),
            _choice("dots", "A dot is", {"mean": "the mean over seeds", "point": "one seed"})
            if seeds > 1
            else "",
            _choice("scale", "Bits per weight", {"linear": "linear", "logarithmic": "logarithmic"}),
            "</div>",
            page.legend({f"S = {rate:g}": colour for rate, colour in _ends(rates).items()}),
            page.legend({**signs, "front of the XOR code": "solid", "front of the others": "dotted"}),
            '<div id="pareto" role="img" aria-label="Total bits per weight against accuracy"></div>',
            page.paragraph(
                "A dot is the mean of the points shown that differ in the seed alone, or one point, one seed; all "
                "layers together. Further left is smaller, further up is better. The front is what no other dot of "
                "those shown beats in both; single seeds have luck, which the means even out. It is found by "
                "validation accuracy, whichever is drawn: over test accuracy it may go down. Dense 1-bit is left out, "
                "since nobody trained that network. Point at a dot for its settings, click it for its command; drag "
                "to zoom, double-click to see all.",
                "caption",
            ),
        )
    )


def _ends(rates: dict[float, str], n: int = 12) -> dict[float, str]:
    """The colours to explain: all, or as many as a reader takes in."""
    return {rate: rates[rate] for rate in spread(list(rates), n)}


def _choice(name: str, title: str, values: Mapping[str, str]) -> str:
    boxes = "".join(
        f'<label><input type="radio" name="{name}" value="{value}" form="filters"{" checked" if i == 0 else ""}>'
        f"{words}</label>"
        for i, (value, words) in enumerate(values.items())
    )
    return f"<fieldset><legend>{title}</legend>{boxes}</fieldset>"


def _front() -> str:
    headings = "".join(
        f'<th scope="col" class="{kind}">{name}</th>'
        for name, kind in (
            *(("bits per weight", ""), ("validation (%)", ""), ("test (%)", "")),
            *(("seed", ""), ("setting", "text")),
        )
    )
    table = f'<table class="chosen"><thead><tr>{headings}</tr></thead><tbody></tbody></table>'
    return f'<div id="front"><h3>The front of the XOR code</h3>{page.scrolled(table, "front")}</div>'


def _layers() -> str:
    names = ("layer", "weights", "kept", "code", "patch", "index", "scale", "total", "patches / slice")
    headings = "".join(
        f'<th scope="col" class="{"text" if i == 0 else ""}">{name}</th>' for i, name in enumerate(names)
    )
    table = f"<table><thead><tr>{headings}</tr></thead><tbody></tbody></table>"
    return (
        '<div id="layers"><h3>One setting by layer: means over its seeds</h3>'
        '<label>Setting <select id="setting"></select></label>'
        f"{page.scrolled(table, 'layers of the setting')}</div>"
    )


def _rows(table: pl.DataFrame) -> tuple[str, ...]:
    heads = "".join(
        f'<th scope="col" class="{"text" if digits is None else ""}{"" if name in PRINTED else " wide"}">'
        f'<button type="button">{name}</button></th>'
        for name, digits in _columns(table).items()
    )
    body = f'<table class="chosen"><thead><tr>{heads}</tr></thead><tbody></tbody></table>'
    return (
        '<div id="rows"><h3>All rows</h3>',
        "<p>One row a layer and codec; bits are per weight, accuracies fractions. A heading sorts; arrow keys go from "
        "row to row, Enter shows a row's command. The whole table, with every setting, is beside this file: "
        '<a href="results.csv">results.csv</a>, <a href="results.parquet">results.parquet</a>.</p>',
        page.scrolled(body, "all rows"),
        '<p class="buttons"><button type="button" data-step="-1">Previous</button> '
        '<button type="button" data-step="1">Next</button> <span role="status"></span></p></div>',
        '<aside id="chosen" aria-label="The chosen point" hidden><strong></strong><code tabindex="0"></code>'
        '<button type="button" data-do="copy">Copy the command</button>'
        '<button type="button" data-do="close">Close</button><span role="status"></span></aside>',
    )
