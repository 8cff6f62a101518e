"""The best points on a terminal: every number is whole, whatever the width."""

import json
from itertools import product

import pytest
from pages import printed
from synthetic import make_config, make_row, sweep
from test_tables import front

from xorjax.results.rows import to_frame
from xorjax.results.tables import per_point, summarise, summarise_models
from xorjax.results.terminal import ModelsTable, SummaryTable
from xorjax.results.variants import varied_keys


def lines(text: str) -> dict[str, list[str]]:
    """Cells by the name of their line; those that go on in the next line are joined."""
    found: dict[str, list[str]] = {}
    last = ""
    for line in (line for line in text.splitlines() if "│" in line):
        name, *cells = map(str.strip, line.strip("│┃").split("│"))
        last = name or last
        before = found.get(last, [""] * len(cells)) if not name else [""] * len(cells)
        found[last] = [" ".join(filter(None, pair)) for pair in zip(before, cells, strict=True)]
    return found


def test_the_table_holds_the_numbers_in_eighty_columns(tmp_path):
    summary = summarise(to_frame([row for point in sweep(tmp_path) for row in point["rows"]]))
    said = lines(
        printed(
            SummaryTable(
                summary,
            )
        )
    )
    for name, value in {
        "total": lambda best: f"{best.bits_per_weight:.3f}",
        "index": lambda best: f"{best.index_bits:.3f}",
        "n_in → n_out": lambda best: best.shape,
        "compressed": lambda best: best.tested,
        "loss (pp)": lambda best: best.loss.number(best.metric),
        "bytes": lambda best: f"{best.file_bytes:,.0f}",
        "ternary ANS": lambda best: f"{best.sizes['ternary ANS']:.3f}",
    }.items():
        assert said[name] == [value(best) for best in summary]


@pytest.mark.parametrize(("n", "width", "shown"), [(9, 80, 3), (4, 80, 3), (1, 80, 1), (9, 140, 7)])
def test_of_many_prune_rates_as_many_are_shown_as_there_is_room_for(n, width, shown):
    """With wide cells in each: spread, star, shapes of four digits."""
    rows = []
    for i, seed in product(range(n), (0, 1)):
        point = {"prune_rate": 0.9 + i / 100, "seed": seed, "point": f"{i}{seed}"}
        rows.append(make_row(n_in=128, n_out=1312, test_metric=0.9 + seed / 100, **point))
    text = printed(SummaryTable(summarise(to_frame(rows))), width)
    assert len(lines(text)["n_in → n_out"]) >= min(n, shown)
    assert ("Drawn: " in text) == (n > len(lines(text)["n_in → n_out"]))


def test_a_long_variant_cuts_nothing():
    rules = [[f"block{i}/*", [["prune.rate", 0.8], ["code.n_in", 12]]] for i in range(3)]
    configs = [make_config(per_layer=text) for text in (json.dumps(rules), "[]")]
    rows = [
        make_row(point=str(i), bits_per_weight=0.4 + i, config=config) for i, config in enumerate(configs)
    ]
    assert "block2/*" in printed(
        SummaryTable(
            summarise(
                to_frame(rows),
                ["per_layer"],
            )
        )
    )


def test_all_models_have_a_line_each():
    table = to_frame(front())
    models = summarise_models(per_point(table, varied_keys((table, ["quantize.words"]))))
    assert printed(ModelsTable(models)).count("0.410") == 2


def test_an_empty_summary_still_says_so():
    assert "No point has a result yet" in printed(SummaryTable([]))
