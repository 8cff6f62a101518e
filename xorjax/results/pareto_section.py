"""The report's main figure, bits against accuracy: its choices, legends and captions; pareto.js draws it."""

from collections.abc import Mapping
from html import escape

import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.caps import spread
from xorjax.results.names import CODEC_NAMES, code_name, own_code
from xorjax.results.palette import colours
from xorjax.streams import BIT_NAMES

# Plotly's markers and the same signs as letters: filled for the points' own codes, open for the others beside them.
OWN = (
    ("circle", "●"),
    ("square", "■"),
    ("diamond", "◆"),
    ("triangle-up", "▲"),
    ("triangle-down", "▼"),
    ("star", "★"),
)
OTHERS = (
    *(("square-open", "□"), ("diamond-open", "◇"), ("triangle-up-open", "△"), ("triangle-down-open", "▽")),
    *(("star-open", "☆"), ("circle-open", "○"), ("pentagon-open", "⬠"), ("hexagon-open", "⬡")),
    *(("triangle-left-open", "◁"), ("triangle-right-open", "▷")),
)
XOR = [code_name("xor", method) for method in ("minimum", "greedy")]
"""Own codes whose mark is always the same."""
NAMED_RATES = 12
"""Prune rates whose colours the legend explains: as many as a reader takes in."""


def marks(codecs: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """The marker and the letter of each `codec`, which `baseline` says to be a rival or a point's own."""
    pairs = dict(codecs.select("codec", "baseline").drop_nulls().iter_rows())
    found = {}
    for is_rival, known, signs in ((False, XOR, OWN), (True, list(CODEC_NAMES.values()), OTHERS)):
        places = {name: sign for name, sign in zip(known, signs, strict=False) if pairs.get(name) == is_rival}
        others = sorted(name for name in pairs if pairs[name] == is_rival and name not in places)
        free = [sign for sign in signs if sign not in places.values()] or signs
        found |= places | {name: free[i % len(free)] for i, name in enumerate(others)}
    return found


def figure(points: pl.DataFrame, metric: Metric) -> str:
    """The figure of points as `tables.per_point` gives them, empty: pareto.js fills it."""
    drawn = points.filter(pl.col("test_metric").is_not_null())
    own, name = own_code(points.filter(~pl.col("baseline"))["code"]), metric.name
    signs = {codec: (sign, "var(--ink)") for codec, (_, sign) in marks(drawn).items()}
    untrained = points.filter("baseline", pl.col("test_metric").is_null())["codec"]
    up = "up" if metric.higher_is_better else "down"
    dense_signs = "Dense 1-bit is left out, since nobody trained that network. " if len(untrained) else ""
    rates, seeds = colours(points["prune_rate"].to_list()), points["seed"].n_unique()
    ring = {"on the front by validation": ("◎", "var(--ink)")}
    reference = {"references, mean": "dotted"}
    whisker = {"of a mean, ± 1 standard deviation of its seeds": ("┃", "var(--soft)")} if seeds > 1 else {}
    fronts = {f"front of the {own}": "solid", "front of the others": "dashed"}
    return "\n".join(
        (
            f"<h3>Bits against {escape(name)}</h3>",
            '<div id="axes">',
            _choice("axis", escape(name.capitalize()), {"validation": "validation", "test": "test"}),
            _choice("dots", "A dot is", {"mean": "the mean over seeds", "point": "one seed"})
            if seeds > 1
            else "",
            _choice("scale", "Bits per weight", {"linear": "linear", "logarithmic": "logarithmic"}),
            '<fieldset><legend>Range</legend><label><input type="checkbox" name="codecs" value="all" '
            'form="filters">all codecs</label></fieldset>',
            "</div>",
            '<div class="keep">',
            page.legend({f"S = {rate:g}": rates[rate] for rate in spread(list(rates), NAMED_RATES)}),
            page.legend(signs),
            f'<div data-axis="validation">{page.legend({**fronts, **reference, **whisker})}</div>',
            f'<div data-axis="test" hidden>{page.legend({**ring, **reference, **whisker})}</div>',
            '<div id="frame"><div id="pareto" role="img" aria-label="Bits per weight against '
            f'{escape(name)}"></div>'
            '<p id="nothing" hidden></p><button type="button" id="unzoom" hidden>Reset zoom</button></div>',
            '<p id="outside" class="caption"></p>',
            "</div>",
            page.paragraph(
                "A dot is the mean of the points shown that differ in the seed alone, or one point, one seed; all "
                f"layers together. Further left is smaller, further {up} is better. The front is what no other dot of "
                "those shown beats in both; single seeds have luck, which the means even out. "
                "A reference is the dense network trained as long without compression. The front is found by "
                f"validation {name} and drawn over it alone; over test {name} the dots that it consists of have a "
                f"ring. The range fits the {own} and the codecs within 1.3 times the smallest at their prune rate. "
                f"{dense_signs}Point at a dot for its settings, click "
                "or tap it for its command; with a mouse, drag to zoom.",
                "caption",
            ),
        )
    )


def front(points: pl.DataFrame, metric: Metric) -> str:
    """The table of the front, empty."""
    unit = f" ({metric.unit})" if metric.unit else ""
    own = own_code(points.filter(~pl.col("baseline"))["code"])
    names = ("bits per weight", f"validation{unit}", f"test{unit}", "seed")
    table = page.empty_table(dict.fromkeys(names, "") | {"setting": "text"}, "front", "chosen")
    return f'<div id="front"><h3>The front of the {escape(own)}</h3>{table}</div>'


def layers() -> str:
    """The table of one setting's layers, empty."""
    names = ("weights", "kept", *BIT_NAMES.values(), "total", "patches / slice")
    table = page.empty_table({"layer": "text"} | dict.fromkeys(names, ""), "layers of the setting")
    return (
        '<div id="layers"><h3>One setting by layer: bits per weight of the layer, means over its seeds</h3>'
        '<label>Setting <select id="setting"></select></label>'
        f"{table}</div>"
    )


def _choice(name: str, title: str, values: Mapping[str, str]) -> str:
    boxes = "".join(
        f'<label><input type="radio" name="{name}" value="{value}" form="filters"{" checked" if i == 0 else ""}>'
        f"{words}</label>"
        for i, (value, words) in enumerate(values.items())
    )
    return f"<fieldset><legend>{title}</legend>{boxes}</fieldset>"
