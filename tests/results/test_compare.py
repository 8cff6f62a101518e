"""Comparisons, by what their tables say: values by the name of the table, the label of the row and the heading."""

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from synthetic import make_config, make_failure, make_point, make_row, sweep, write_report
from test_report import Page

from xorjax.config.reads import not_determining
from xorjax.config.validate import KEYS
from xorjax.metric import ACCURACY
from xorjax.results.collect import CollectError
from xorjax.results.compare import Comparison, compare, difference
from xorjax.results.compare_page import front, write_comparison
from xorjax.results.compare_tables import shown, tables, verdict
from xorjax.results.compare_terminal import ComparisonTable
from xorjax.results.configs import determines_nothing
from xorjax.results.rows import to_frame
from xorjax.results.tables import per_point, per_setting


def column(comparison: Comparison, name: str, heading: str) -> dict[str, str]:
    """A column of a table by the labels of its rows."""
    (table,) = [table for table in tables(comparison) if table.name == name]
    return {next(iter(row.values()))[0]: row[heading][0] for row in table.rows}


def report(runs: Path, shift: float = 0.0, seeds: tuple[int, ...] = (0, 1), **changes: list[Any]) -> Path:
    """A point for each combination of config keys' values (`__` for the dot) and seed, its n_out chosen by itself.

    Its code takes n_in / 100 bits and the shift, its bits are those and 0.3; its test accuracy is 0.9 and the shift.
    """
    points = []
    for *values, seed in itertools.product(*changes.values(), seeds):
        chosen = dict(zip(changes, values, strict=True))
        config = make_config(seed=seed, **{"code__n_out": None, **chosen})
        code = config["code"] | {"n_out": config["code"]["n_out"] or 300 + len(points) % 3 + len(runs.name)}
        bits = code["n_in"] / 100 + shift + seed / 1e5
        row = make_row(
            seed=seed,
            config=config,
            prune_rate=config["prune"]["rate"],
            mask_codec=config["mask"]["codec"],
            code_bits=bits,
            patch_bits=0.0,
            bits_per_weight=bits + 0.3,
            test_metric=0.9 + shift + seed / 1e3,
            **{name: code[name] for name in ("n_in", "n_out", "method", "patch_format")},
        )
        points.append(make_point(f"p{len(points)}", [row]))
    return write_report(runs, points)


def terminal(comparison: Comparison, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(ComparisonTable(comparison))
    return console.file.getvalue()


@given(
    chance=st.integers(0, 10**6), n_pairs=st.integers(1, 3), n_seeds=st.integers(2, 5), common=st.booleans()
)
def test_a_difference_is_that_of_means_over_pairs_with_students_interval(chance, n_pairs, n_seeds, common):
    """As SciPy has it: paired where the seeds are the same, else Welch's."""
    one, two = np.random.default_rng(chance).normal([[[0]], [[1]]], 1, (2, n_pairs, n_seeds))
    seeds = range(n_seeds) if common else range(n_seeds, 2 * n_seeds)
    found = difference(
        (dict(enumerate(a)), dict(zip(seeds, b, strict=True))) for a, b in zip(one, two, strict=True)
    )
    a, b = one.mean(axis=0), two.mean(axis=0)
    test = stats.ttest_rel(b, a) if common else stats.ttest_ind(b, a, equal_var=False)
    low, high = test.confidence_interval(0.95)
    assert found is not None
    assert found.spread is not None
    assert (found.first, found.second) == pytest.approx((a.mean(), b.mean()))
    assert (found.value - found.spread, found.value + found.spread) == pytest.approx((low, high), abs=1e-9)


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
def test_a_difference_counts_only_beyond_its_interval(first, second, said, text):
    """And does not read as none where its digits are too few."""
    each = difference([(dict(enumerate(first)), dict(enumerate(second)))])
    assert each is not None
    assert (verdict(each), shown(each)) == (said, text)
    assert difference([({}, {0: 0.1})]) is None


def test_each_value_of_each_axis_has_a_line(tmp_path):
    axes = {"code__n_in": [8, 16, 24], "prune__rate": [0.9, 0.95], "quantize__n_planes": [1, 2]}
    first, second = report(tmp_path / "a", **axes), report(tmp_path / "b", 0.02, **axes, optim__epochs=[3])
    comparison = compare(first, second)
    assert column(comparison, "axes", "pairs") == {
        "all pairs": "12", "prune rate 0.9": "6", "prune rate 0.95": "6",

            "n_in 8": "4",
            "n_in 16": "4",
            "n_in 24": "4",
            "quantize.n_planes 1": "6",
            "quantize.n_planes 2": "6"
        ,
    }
    for size, of_8, of_24 in (("value bits", "0.0800", "0.2400"), ("bits per weight", "0.3800", "0.5400")):
        found = column(comparison, "axes", f"{size}\nA")
        assert (found["n_in 8"], found["n_in 24"]) == (of_8, of_24)
        assert set(column(comparison, "axes", f"{size}\nB - A").values()) == {"+0.0200 ± 0.0000"}
    assert set(column(comparison, "axes", "test accuracy (%)\nB - A").values()) == {"+2.00 ± 0.00"}
    assert column(comparison, "settings", "B") == {"optim.epochs": "3"}
    assert column(comparison, "verdicts", "worse")["bits per weight"] == "12"
    # Of what the networks share, the accuracy counts once.
    assert column(comparison, "verdicts", "better")["test accuracy (%)"] == "4"


@pytest.mark.parametrize(
    "change", [("prune__structure", 1.0), ("code__patch_format", "care"), ("code__fill", 0.9)]
)
def test_sweeps_that_differ_in_one_setting_are_compared_in_the_others(tmp_path, change):
    """An n_out that was chosen from the masks differs with them, and keeps nothing apart."""
    axes = {"prune__rate": [0.9, 0.95], "quantize__n_planes": [1, 2]}
    comparison = compare(
        report(tmp_path / "a", **axes), report(tmp_path / "bb", **axes, **{change[0]: [change[1]]})
    )
    assert column(comparison, "axes", "pairs")["all pairs"] == "4"
    assert comparison.only == [[], []]
    for name in column(comparison, "common", "seeds"):
        assert name.startswith(("S 0.9,", "S 0.95,"))
        assert "quantize.n_planes=" in name
        assert ("paper / care" in name) == (change[1] == "care")


def test_a_sweep_of_more_values_pairs_with_one_of_fewer_and_one_value_with_several(tmp_path):
    both = report(tmp_path / "a", prune__structure=[0.0, 1.0], prune__rate=[0.9, 0.95])
    one, other = (
        report(tmp_path / f"b{s}", prune__structure=[s], prune__rate=[0.9, 0.95]) for s in (1.0, 2.0)
    )
    narrower, apart = compare(both, one), compare(both, other)
    assert column(narrower, "axes", "pairs")["prune.structure 1.0"] == "2"
    assert [name.rpartition(", ")[2] for name in column(narrower, "only-A", "setting")] == [
        "prune.structure=0.0"
    ] * 2
    assert column(apart, "axes", "pairs")["prune.structure 0.0 / 2.0"] == "2"
    assert column(apart, "axes", "pairs")["all pairs"] == "4"


def test_what_keeps_two_sweeps_apart_is_said(tmp_path):
    comparison = compare(
        report(tmp_path / "a", code__n_out=[320, 352]), report(tmp_path / "b", code__n_out=[96, 128])
    )
    assert column(comparison, "apart", "A") == {"n_out": "320, 352"}
    assert [*map(len, comparison.only)] == [2, 2]
    assert "320, 352" in terminal(comparison)


def test_only_settings_that_determine_nothing_are_left_out():
    """By their names in the configuration, which the results do not know."""
    assert {key for key in KEYS if determines_nothing(key)} == not_determining()


def test_the_front_is_of_validation_accuracy():
    sizes = {100: (0.30, 0.990, 0.980), 200: (0.40, 0.989, 0.999), 300: (0.50, 0.991, 0.970)}
    names = ("bits_per_weight", "validation_metric", "test_metric")
    rows = [make_row(n_out=n_out, **dict(zip(names, of, strict=True))) for n_out, of in sizes.items()]
    found = front(
        per_setting(per_point(to_frame([row | {"point": str(i)} for i, row in enumerate(rows)]))), ACCURACY
    )
    assert found["n_out"].to_list() == [100, 300]


def test_the_page_and_the_terminal_show_whole_numbers_and_load_nothing(tmp_path):
    first, second = (
        write_report(tmp_path / name, sweep(tmp_path / name, rates=rates, n_seeds=3, chance=chance))
        for name, rates, chance in (("a", (0.9, 0.95), 0), ("b", (0.95, 0.98), 7))
    )
    comparison = compare(first, second)
    write_comparison(comparison, tmp_path / "page.html")
    page, text = Page(tmp_path / "page.html"), terminal(comparison)
    assert {"axes", "verdicts", "settings", "best", "fronts", "common", "only-A", "only-B"} == set(
        page.sections
    )
    for number in column(comparison, "axes", "bits per weight\nB - A").values():
        assert number in page.text
        assert number in text
    # Of one name, they are told apart by their paths.
    assert str(first) in page.text
    assert "coded as" in terminal(comparison, 200)
    assert not any({"src", "action"} & set(attributes) for _, attributes in page.elements)


def test_an_experiment_without_a_result_is_named(tmp_path):
    empty = write_report(tmp_path / "empty", [make_failure("p0", "broken")])
    with pytest.raises(CollectError, match="empty/reports/lenet_sweep has no point with a result yet"):
        compare(report(tmp_path / "whole", code__n_in=[20]), empty)
