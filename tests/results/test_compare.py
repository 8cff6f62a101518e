"""Comparisons by what their tables say: values by the name of the table, the label of the row and the heading."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import Page, printed, traces
from scipy import stats
from synthetic import make_config, make_failure, make_point, make_row, sweep, write_report

from xorjax.config.reads import not_determining
from xorjax.config.validate import KEYS
from xorjax.results.collect import CollectError
from xorjax.results.compare import Comparison, compare, difference
from xorjax.results.compare_page import write_comparison
from xorjax.results.compare_tables import shown, tables, verdict
from xorjax.results.compare_terminal import ComparisonTable
from xorjax.results.configs import determines_nothing

RATES = {"prune__rate": [0.9, 0.95]}


def column(comparison: Comparison, name: str, heading: str) -> dict[str, str]:
    """A column of a table by the labels of its rows; those of the best points are a prune rate and a side."""
    (columns,) = [table.columns for table in tables(comparison) if table.name == name]
    texts = {"\n".join(filter(None, (of.group, of.name))): [text for text, _ in of.cells] for of in columns}
    labels = [texts[own] for own in texts if own in ("S", "", columns[0].name)]
    return dict(zip(map(" ".join, zip(*labels, strict=True)), texts[heading], strict=True))


def report(runs: Path, more: float = 0.0, **changes: list[Any]) -> Path:
    """Two seeds of each combination of config keys' values (`__` for the dot); the n_out is chosen if it is no key.

    The code takes n_in / 100 bits and by `more` of these more, which are in the test accuracy too; the mask takes 0.3.
    """
    rows = []
    for *values, seed in product(*changes.values(), (0, 1)):
        config = make_config(seed=seed, **{"code__n_out": None, **dict(zip(changes, values, strict=True))})
        code = config["code"] | {"n_out": config["code"]["n_out"] or 300 + len(rows) % 3 + len(runs.name)}
        own = {name: code[name] for name in ("n_in", "n_out", "method", "patch_format")}
        bits = (1 + more) * code["n_in"] / 100
        own |= {"code_bits": bits, "patch_bits": 0.0, "bits_per_weight": bits + 0.3}
        own |= {"test_metric": 0.5 + bits}
        rows.append(make_row(seed=seed, config=config, prune_rate=config["prune"]["rate"], **own))
    return write_report(runs, rows)


@given(
    chance=st.integers(0, 10**6),
    n_pairs=st.integers(1, 3),
    n_seeds=st.integers(2, 5),
    shift=st.sampled_from([0, 9]),
)
def test_a_difference_is_that_of_means_over_pairs_with_students_interval(chance, n_pairs, n_seeds, shift):
    """As SciPy has it: paired where the seeds are the same, else Welch's."""
    one, two = np.random.default_rng(chance).normal([[[0]], [[1]]], 1, (2, n_pairs, n_seeds))
    found = difference(
        [(dict(enumerate(a)), dict(enumerate(b, shift))) for a, b in zip(one, two, strict=True)]
    )
    a, b = one.mean(axis=0), two.mean(axis=0)
    test = stats.ttest_ind(b, a, equal_var=False) if shift else stats.ttest_rel(b, a)
    assert found is not None
    assert found.spread is not None
    assert (found.first, found.second) == pytest.approx((a.mean(), b.mean()))
    interval = (found.value - found.spread, found.value + found.spread)
    assert interval == pytest.approx(tuple(test.confidence_interval(0.95)))


@pytest.mark.parametrize(
    ("first", "second", "said", "text"),
    [
        ([0.30, 0.30, 0.30], [0.311, 0.302, 0.308], "within the spread", "(+0.0070 ± 0.0114)"),
        ([0.30, 0.32, 0.34], [0.29, 0.31, 0.33], "better", "-0.0100 ± 0.0000"),
        ([0.30, 0.30], [0.30001, 0.30001], "worse", "+1e-05 ± 0.0000"),
        ([0.30, 0.40], [0.30, 0.40], "equal", "(+0.0000 ± 0.0000)"),
        ([0.30], [0.10], "one seed", "(-0.2000)"),
    ],
)
def test_a_difference_counts_beyond_its_interval_and_never_reads_as_none(first, second, said, text):
    each = difference([(dict(enumerate(first)), dict(enumerate(second))), ({}, {0: 0.1})])
    assert each is not None
    assert (verdict(each), shown(each)) == (said, text)


def test_each_value_of_each_axis_has_a_line(tmp_path):
    axes = {"code__n_in": [8, 16, 24], "quantize__n_planes": [1, 2], **RATES}
    comparison = compare(
        report(tmp_path / "a", **axes), report(tmp_path / "b", 0.5, **axes, optim__epochs=[3])
    )
    lines = {"all pairs": 12, "n_in 8": 4, "n_in 16": 4, "n_in 24": 4}
    lines |= {"prune rate 0.9": 6, "prune rate 0.95": 6, "quantize.n_planes 1": 6, "quantize.n_planes 2": 6}
    assert column(comparison, "by-axis", "pairs") == {name: str(n) for name, n in lines.items()}
    for heading, of_8, of_24, of_all in (
        ("value bits\nA", "0.0800", "0.2400", "0.1600"),
        ("value bits\nB - A", "+0.0400 ± 0.0000", "+0.1200 ± 0.0000", "+0.0800 ± 0.0000"),
        ("bits per weight\nB", "0.4200", "0.6600", "0.5400"),
        ("bits per weight\nB - A", "+0.0400 ± 0.0000", "+0.1200 ± 0.0000", "+0.0800 ± 0.0000"),
        ("test accuracy (%)\nB - A", "+4.00 ± 0.00", "+12.00 ± 0.00", "+8.00 ± 0.00"),
    ):
        found = column(comparison, "by-axis", heading)
        assert (found["n_in 8"], found["n_in 24"], found["quantize.n_planes 2"]) == (of_8, of_24, of_all)
        assert found["all pairs"] == of_all
    assert column(comparison, "settings", "B") == {"optim.epochs": "3"}
    assert column(comparison, "verdicts", "worse")["bits per weight"] == "12"
    # How a network is coded does not change its accuracy, which counts once.
    assert column(comparison, "verdicts", "better")["test accuracy (%)"] == "4"


@pytest.mark.parametrize("change", ["prune__structure=1.0", "code__patch_format=care", "code__fill=0.9"])
def test_sweeps_that_differ_in_one_setting_are_compared_in_the_others(tmp_path, change):
    """An n_out that was chosen from the masks differs with them, and keeps nothing apart."""
    axes, (key, _, value) = {**RATES, "quantize__n_planes": [1, 2]}, change.partition("=")
    changed = {key: [value if value == "care" else float(value)]}
    comparison = compare(report(tmp_path / "a", **axes), report(tmp_path / "bb", **axes, **changed))
    names = column(comparison, "common", "seeds")
    assert (len(names), comparison.only) == (4, [[], []])
    assert all(name.startswith(("S 0.9,", "S 0.95,")) and "quantize.n_planes=" in name for name in names)
    assert all(("paper / care" in name) == (value == "care") for name in names)


def test_one_value_is_compared_with_itself_among_several_or_with_each_of_them(tmp_path):
    both, one, other = (
        report(tmp_path / str(values), prune__structure=values, **RATES)
        for values in ([0.0, 1.0], [1.0], [2.0])
    )
    narrower, apart = (column(compare(both, place), "by-axis", "pairs") for place in (one, other))
    assert (narrower["all pairs"], narrower["prune.structure 1.0"]) == ("2", "2")
    assert (apart["all pairs"], apart["prune.structure 0.0 / 2.0"]) == ("4", "2")
    alone = column(compare(both, one), "only-A", "setting")
    assert len(alone) == 2
    assert all(name.endswith("prune.structure=0.0") for name in alone)


def test_what_keeps_two_sweeps_apart_is_said(tmp_path):
    places = (report(tmp_path / name, code__n_out=of) for name, of in (("a", [320, 352]), ("b", [96, 128])))
    comparison = compare(*places)
    assert column(comparison, "apart", "A") == {"n_out": "320, 352"}
    assert "320, 352" in printed(ComparisonTable(comparison))


def test_only_settings_that_determine_nothing_are_left_out():
    """By their names in the configuration, which the results do not know."""
    assert {key for key in KEYS if determines_nothing(key)} == not_determining()


def test_best_points_and_fronts_are_of_validation_accuracy(tmp_path):
    """Of A the test split would choose others; B is larger, and has no point at S = 0.9."""
    names = ("n_out", "prune_rate", "bits_per_weight", "validation_metric", "test_metric")
    values = [(1, 0.9, 0.3, 0.990, 0.980), (2, 0.95, 0.4, 0.989, 0.999), (3, 0.95, 0.5, 0.991, 0.970)]
    points = [
        make_point(f"p{i}", [make_row(**dict(zip(names, of, strict=True)))]) for i, of in enumerate(values)
    ]
    first, second = write_report(tmp_path / "a", points), write_report(tmp_path / "b", points[1:])
    comparison = compare(first, second)
    bits = {"0.9 A": "0.3000", "0.9 B": "none", "0.95 A": "0.5000", "0.95 B": "0.5000"}
    assert column(comparison, "best", "bits per weight") == bits | {"0.95 B - A": "(+0.0000)"}
    assert column(comparison, "best", "loss (pp)")["0.95 B"] == "2.200"
    write_comparison(comparison, tmp_path / "page.html")
    for figure in Page(tmp_path / "page.html").figures.values():
        assert traces(figure)[f"front of {first}"]["x"] == [0.3, 0.5]
        assert traces(figure)[f"front of {second}"]["x"] == [0.4, 0.5]


def test_page_and_terminal_show_whole_numbers_and_load_nothing(tmp_path):
    first, second = (
        write_report(tmp_path / str(i), sweep(tmp_path / str(i), rates=(0.95,), chance=i)) for i in range(2)
    )
    comparison = compare(first, second)
    write_comparison(comparison, tmp_path / "page.html")
    page, text = Page(tmp_path / "page.html"), printed(ComparisonTable(comparison))
    for number in column(comparison, "by-axis", "bits per weight\nB - A").values():
        assert number in page.text
        assert number in text
    # Of one name, they are told apart by their paths.
    assert str(first) in page.text
    assert "coded as" in printed(ComparisonTable(comparison), 200)
    assert not any({"src", "action"} & set(attributes) for _, attributes in page.elements)


def test_an_experiment_without_a_result_is_named(tmp_path):
    empty = write_report(tmp_path / "empty", [make_failure("p0", "broken")])
    with pytest.raises(CollectError, match="empty/reports/lenet_sweep has no point with a result yet"):
        compare(report(tmp_path / "whole", **RATES), empty)
