import polars as pl
import pytest
from synthetic import make_baseline, make_failure, make_row

from xorjax.results.rows import ALWAYS, COLUMNS, OF_XOR_CODES, SCHEMA, RowError, check_row, to_frame

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
    assert table.schema == SCHEMA
    assert table["method"].to_list() == ["greedy", "csr5", None]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(column):
    row = make_row()
    del row[column]
    with pytest.raises(RowError, match=f"lacks the column '{column}'"):
        check_row(row)


def test_an_unknown_column_is_named():
    with pytest.raises(RowError, match="unknown column 'accuracy'"):
        check_row(make_row(accuracy=0.9))


@pytest.mark.parametrize(
    ("column", "value"),
    [("seed", "0"), ("seed", 1.0), ("seed", True), ("test_metric", "0.99"), ("lossless", 1), ("layer", 3)],
)
def test_a_value_of_the_wrong_type_is_named(column, value):
    with pytest.raises(RowError, match=f"column '{column}' of the result row is {value!r}"):
        check_row(make_row(**{column: value}))


@pytest.mark.parametrize("column", ALWAYS + OF_XOR_CODES)
def test_a_finished_row_lacks_no_result(column):
    with pytest.raises(RowError, match=f"column '{column}' of the result row is None"):
        check_row(make_row() | {column: None})


def test_whole_numbers_are_fine_where_fractions_may_stand():
    check_row(make_row(prune_rate=0, code_bits=1))
    assert to_frame([make_row(code_bits=1)])["code_bits"].dtype == pl.Float64
