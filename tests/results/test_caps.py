import pytest

from xorjax.results.caps import listed, of_many, spread


@pytest.mark.parametrize(
    ("n_values", "n", "expected"),
    [(3, 5, [0, 1, 2]), (5, 5, [0, 1, 2, 3, 4]), (101, 5, [0, 25, 50, 75, 100])],
)
def test_values_are_spread_over_their_order_with_both_ends(n_values, n, expected):
    assert spread(range(n_values), n) == expected


def test_what_is_left_out_is_counted():
    assert listed([1, 2, 3], 3) == "1, 2, 3"
    assert listed(range(1500), 2) == "0, 1 and 1,498 more"
    assert of_many(1500, 12, "prune rates") == " Drawn: 12 of 1,500 prune rates."
    assert of_many(12, 12, "prune rates") == ""
