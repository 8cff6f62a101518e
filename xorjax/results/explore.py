"""The report's section of all points: their filters, bits against the metric, and the table of all rows.

The scripts beside it fill it with `explore_data`: explore.js filters, pareto.js draws, rows.js and layers.js list.
"""

from collections.abc import Mapping
from html import escape

import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.caps import spread
from xorjax.results.explore_data import PRINTED, columns_of, filters_of, listed, marks, value_of
from xorjax.results.names import mask_name, own_code
from xorjax.results.palette import colours
from xorjax.streams import BIT_NAMES

BOXES = 24
"""Values of a filter that get a box each; more numbers than that are chosen by their least and largest."""
NAMED_RATES = 12
"""Prune rates whose colours the legend explains: as many as a reader takes in."""


def explore(table: pl.DataFrame, points: pl.DataFrame, metric: Metric) -> str:
    """The section.

    Args:
        table: all rows, as `marked` gives them.
        points: as `tables.per_point` gives them, empty if none has finished.
        metric: what the points are judged by.
    """
    parts = [_filters(table)]
    if not points.is_empty():
        own = own_code(points.filter(~pl.col("baseline"))["code"])
        parts += [*_figure(points, metric, own), _front(metric, own)]
        if table["layer"].drop_nulls().n_unique() > 1:
            parts.append(_layers())
    return page.section("points", "All points", *parts, *_rows(table, metric))


def _filters(table: pl.DataFrame) -> str:
    codecs = list(marks(table))
    fields = [
        _filter(table[column], name, title, codecs) for column, (name, title) in filters_of(table).items()
    ]
    return (
        '<form id="filters" aria-label="Filters of the figure and of the table">'
        f'<details open><summary>Filters</summary><div class="fields">{"".join(fields)}</div></details>'
        '<p class="buttons"><button type="reset">Show all</button> '
        '<button type="button" id="share">Copy the link to this view</button> '
        '<span id="shown" role="status"></span></p></form>'
    )


def _filter(column: pl.Series, name: str, title: str, codecs: list[str]) -> str:
    values = codecs if name == "codec" else column.drop_nulls().unique().sort().to_list()
    if len(values) < 2:
        return ""
    if column.dtype.is_numeric() and len(values) > BOXES:
        boxes = "".join(
            f'<label>{word} <input type="number" step="any" name="{name}" data-end="{word}" '
            f'placeholder="{value:g}"></label>'
            for word, value in (("from", values[0]), ("to", values[-1]))
        )
    else:
        words = mask_name if name == "mask" else str
        boxes = "".join(
            f'<label><input type="checkbox" name="{name}" value="{escape(value_of(value))}">'
            f"{escape(words(value_of(value)))}</label>"
            for value in values
        )
    return f"<fieldset><legend>{escape(title)}</legend>{boxes}</fieldset>"


def _choice(name: str, title: str, values: Mapping[str, str]) -> str:
    boxes = "".join(
        f'<label><input type="radio" name="{name}" value="{value}" form="filters"{" checked" if i == 0 else ""}>'
        f"{words}</label>"
        for i, (value, words) in enumerate(values.items())
    )
    return f"<fieldset><legend>{title}</legend>{boxes}</fieldset>"


def _figure(points: pl.DataFrame, metric: Metric, own: str) -> list[str]:
    """Bits against the metric: its choices, legends, its place and how to read it."""
    name, rates, seeds = metric.name, colours(points["prune_rate"].to_list()), points["seed"].n_unique()
    drawn = points.filter(pl.col("test_metric").is_not_null())
    signs = {codec: (sign, "var(--ink)") for codec, (_, sign) in marks(drawn).items()}
    lines: dict[str, str | tuple[str, str]] = {"references, mean": "dotted"}
    if seeds > 1:
        lines["standard deviation over seeds"] = ("┃", "var(--soft)")
    of_axis = {
        "validation": {f"front of the {own}": "solid", "front of the others": "dashed"},
        "test": {"on the front by validation": ("◎", "var(--ink)")},
    }
    up = "up" if metric.higher_is_better else "down"
    return [
        f"<h3>Bits against {escape(name)}</h3>",
        '<div id="axes">',
        _choice("axis", escape(name.capitalize()), {"validation": "validation", "test": "test"}),
        *([_choice("dots", "A dot is", {"mean": "the mean over seeds", "point": "one seed"})] * (seeds > 1)),
        _choice("scale", "Bits per weight", {"linear": "linear", "logarithmic": "logarithmic"}),
        '<fieldset><legend>Range</legend><label><input type="checkbox" name="codecs" value="all" '
        'form="filters">all codecs</label></fieldset><button type="button" id="unzoom" hidden>Reset zoom</button></div>'
        '<div class="keep">',
        '<div id="drawn">',
        page.legend({f"S = {rate:g}": rates[rate] for rate in spread(list(rates), NAMED_RATES)}),
        page.legend(signs) + "</div>",
        *(
            f'<div data-axis="{axis}"{" hidden" if axis == "test" else ""}>{page.legend({**of_it, **lines})}</div>'
            for axis, of_it in of_axis.items()
        ),
        f'<div id="frame"><div id="pareto" role="img" aria-label="Bits per weight against {escape(name)}"></div>'
        '<p id="nothing" hidden></p></div>',
        '<p id="outside" class="caption"></p></div>',
        page.paragraph(
            "A dot is the mean of the points shown that differ in the seed alone, or one point, one seed; all layers "
            f"together. Further left is smaller, further {up} is better. The front is what no other dot of those shown "
            "beats in both; single seeds have luck, which the means even out. A reference is the dense network trained "
            f"as long without compression. The front is found by validation {name} and drawn over it alone; over test "
            f"{name} the dots that it consists of have a ring. The range fits the {own} and the codecs within 1.3 "
            "times the smallest at their prune rate. Dense 1-bit is left out where nobody trained that network. Point "
            "at a dot for its settings, click or tap it for its command; with a mouse, drag to zoom.",
            "caption",
        ),
    ]


def _front(metric: Metric, own: str) -> str:
    """The table of the front, empty."""
    unit = f" ({metric.unit})" if metric.unit else ""
    names = ("bits per weight", f"validation{unit}", f"test{unit}", "seed")
    table = page.empty_table(dict.fromkeys(names, "") | {"setting": "text"}, "front", "chosen")
    return f'<div id="front"><h3>The front of the {escape(own)}</h3>{table}</div>'


def _layers() -> str:
    """The table of one setting's layers, empty."""
    names = ("weights", "kept", *BIT_NAMES.values(), "total", "patches / slice")
    table = page.empty_table({"layer": "text"} | dict.fromkeys(names, ""), "layers of the setting")
    return (
        '<div id="layers"><h3>One setting by layer: bits per weight of the layer, means over its seeds</h3>'
        f'<label>Setting <select id="setting"></select></label>{table}</div>'
    )


def _rows(table: pl.DataFrame, metric: Metric) -> tuple[str, ...]:
    """The table of all rows, empty; and the panel of what is chosen, on all pages."""
    known, kinds = columns_of(table), {}
    shown, same = listed(table)
    for name in shown:
        said = escape(name.replace("metric", metric.name)).replace("_", "_<wbr>").replace(".", ".<wbr>")
        kind = f"{'text' if known[name] is None else ''}{'' if name in PRINTED else ' wide'}"
        kinds[f'<button type="button">{said}</button>'] = kind
    said = "; ".join(f"{name.replace('metric', metric.name)} {value}" for name, value in same.items())
    values = "accuracies fractions" if metric.unit == "%" else f"{metric.label} as it is"
    return (
        '<div id="rows"><h3>All rows</h3>',
        f"<p>One row a layer and codec; bits are per weight, {values}. A heading sorts; arrow keys go from "
        "row to row, Enter shows a row's command. The whole table, with every setting, is beside this file: "
        '<a href="results.csv">results.csv</a>, <a href="results.parquet">results.parquet</a>.</p>',
        page.empty_table(kinds, "all rows", "chosen"),
        '<p class="buttons"><button type="button" data-step="-1">Previous</button> '
        '<button type="button" data-step="1">Next</button> <span role="status"></span></p>',
        page.paragraph(
            f"The same in all rows that have it, and so no column: {said}." if said else "", "caption"
        ),
        "</div>",
        '<aside id="chosen" aria-label="The chosen point" aria-live="polite" hidden><strong></strong>'
        '<span id="whose"></span><code tabindex="0"></code>'
        '<button type="button" data-do="copy">Copy the command</button>'
        '<button type="button" data-do="close">Close</button><span role="status"></span></aside>',
    )
