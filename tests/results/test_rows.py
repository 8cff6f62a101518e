from pathlib import Path

import polars as pl
import pytest
from synthetic import make_baseline, make_failure, make_other, make_row

from xorjax.results import columns
from xorjax.results.configs import setting
from xorjax.results.rows import (
    ALWAYS,
    COLUMNS,
    OF_OWN_CODES,
    OF_XOR_CODES,
    SCHEMA,
    RowError,
    check_row,
    to_frame,
)

ROOT = Path(__file__).resolve().parents[2]
# The names that users of results.csv rely on, in order: others may follow, these may not change.
FIXED = """
experiment model dataset layer seed prune_rate n_in n_out method patch_format mask_codec n_weights
dense_accuracy quantized_accuracy test_accuracy code_bits patch_bits index_bits scale_bits bits_per_weight
patches_per_slice lossless status command
"""


def test_the_fixed_columns_come_first_in_their_order():
    assert list(COLUMNS[:24]) == FIXED.split()


def test_rows_of_codes_baselines_and_failures_are_accepted():
    rows = [make_row(), make_baseline("csr5", 0.3, 0.06), make_failure("p1", "broken")["rows"][0]]
    for row in rows:
        check_row(row)
    table = to_frame(rows)
    assert table.drop("config").schema == {name: dtype for name, dtype in SCHEMA.items() if name != "config"}
    assert table["method"].to_list() == ["greedy", None, None]
    assert table["value_bits"].to_list() == [0.0625 + 0.0175, 0.06, None]
    assert table["config"].struct.field("code").struct.field("n_in").to_list()[0] == 20


def test_the_page_of_columns_is_made_from_their_statements():
    """`python -m xorjax.results.columns > docs/columns.md` makes it anew."""
    assert (ROOT / "docs" / "columns.md").read_text(encoding="utf-8") == columns.page()
    for name, own in columns.STATED.items():
        assert own.about.endswith("."), name
        if own.type in (columns.INTEGER, columns.NUMBER) and name not in ("seed", "xor_seed"):
            assert own.unit, name


def test_a_missing_and_an_unknown_column_are_named():
    row = make_row()
    for column in COLUMNS:
        with pytest.raises(RowError, match=f"lacks the column '{column}'"):
            check_row({name: value for name, value in row.items() if name != column})
    with pytest.raises(RowError, match="unknown column 'accuracy'"):
        check_row(row | {"accuracy": 0.9})


@pytest.mark.parametrize(
    ("column", "value"),
    [("seed", "0"), ("seed", 1.0), ("seed", True), ("test_metric", "0.99"), ("lossless", 1), ("layer", 3)],
)
def test_a_value_of_the_wrong_type_is_named(column, value):
    with pytest.raises(RowError, match=f"column '{column}' of the result row is {value!r}"):
        check_row(make_row() | {column: value})


def test_a_finished_row_lacks_no_result():
    for column in ALWAYS + OF_OWN_CODES + OF_XOR_CODES:
        with pytest.raises(RowError, match=f"column '{column}' of the result row is None"):
            check_row(make_row() | {column: None})
    row = make_other("signs", "golomb")
    assert {row[column] for column in OF_XOR_CODES} == {None}
    check_row(row)
    with pytest.raises(RowError, match="'kept_score'"):
        check_row(row | {"kept_score": None})


def test_configs_of_different_fields_stand_in_one_table():
    table = to_frame(
        [make_row(), make_other("signs", "golomb", config={"code": {"id": "signs"}, "new": [1, 2]})]
    )
    assert setting(table["config"], "code").to_list() == ["xor", "signs"]
    assert setting(table["config"], "code.n_in").to_list() == [20, None]
    assert setting(table["config"], "new").to_list() == [None, [1, 2]]
    assert setting(table["config"], "nowhere.at_all").to_list() == [None, None]
    parts = [to_frame([make_row()]), to_frame([make_other("signs", None, config={"seed": 1})])]
    assert pl.concat(parts, how="diagonal_relaxed").height == 2


def test_whole_numbers_are_fine_where_fractions_may_stand():
    check_row(make_row(prune_rate=0, code_bits=1))
    assert to_frame([make_row(code_bits=1)])["code_bits"].dtype == pl.Float64
