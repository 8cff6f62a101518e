import io
import itertools
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from synthetic import make_config, make_failure, make_point, make_row, sweep, write_report
from test_report import Page

from xorjax.config.reads import not_determining
from xorjax.config.validate import KEYS
from xorjax.metric import ACCURACY
from xorjax.results.collect import CollectError
from xorjax.results.compare import SIZES, compare, difference, front, shown, summed_up, verdict
from xorjax.results.compare_page import write_comparison
from xorjax.results.compare_terminal import comparison_table
from xorjax.results.configs import determines_nothing


def experiment(runs: Path, bits: dict[tuple[int, int], float], **values: Any) -> Path:
    """A report directory with a point for each (n_out, seed) of the given bits per weight."""
    points = [
        make_point(f"o{n_out}-s{seed}", [make_row(n_out=n_out, seed=seed, bits_per_weight=size, **values)])
        for (n_out, seed), size in bits.items()
    ]
    return write_report(runs, points)


def text_of(comparison) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(comparison_table(comparison))
    return console.file.getvalue()


def test_a_difference_counts_only_beyond_its_spread_over_seeds():
    first = {0: 0.30, 1: 0.32, 2: 0.34}
    noisy = difference(first, {0: 0.34, 1: 0.30, 2: 0.33})
    clear = difference(first, {seed: bits - 0.01 for seed, bits in first.items()})
    assert noisy is not None
    assert clear is not None
    assert (verdict(noisy, SIZES), verdict(clear, SIZES)) == ("within the spread", "smaller")
    assert clear.value == pytest.approx(-0.01)
    assert clear.spread == pytest.approx(0, abs=1e-12)


def test_three_seeds_must_agree_well():
    """Beyond one standard deviation, and yet t = 2.5 with two degrees of freedom: 13 of 100 such are luck."""
    first = {0: 0.30, 1: 0.30, 2: 0.30}
    luck = difference(first, {0: 0.311, 1: 0.302, 2: 0.308})
    assert luck is not None
    assert luck.spread == pytest.approx(4.3027 * 0.0045826 / 3**0.5, rel=1e-3)
    assert verdict(luck, SIZES) == "within the spread"


def test_other_seeds_are_compared_by_both_spreads():
    between = difference({0: 0.30, 1: 0.32}, {5: 0.40, 6: 0.42})
    assert between is not None
    assert between.spread == pytest.approx(4.3027 * 0.0141421, rel=1e-3)
    assert verdict(between, SIZES) == "larger"
    near = difference({0: 0.30, 1: 0.32}, {5: 0.31, 6: 0.33})
    assert near is not None
    assert verdict(near, SIZES) == "within the spread"


def test_one_seed_is_not_judged_and_nothing_is_no_difference():
    single = difference({0: 0.30}, {0: 0.10})
    assert single is not None
    assert verdict(single, SIZES) == "not judged (one seed)"
    assert difference({}, {0: 0.10}) is None
    same = difference({0: 0.3, 1: 0.4}, {0: 0.3, 1: 0.4})
    assert same is not None
    assert verdict(same, SIZES) == "equal"


def test_settings_are_matched_and_those_of_one_side_listed(tmp_path):
    first = experiment(tmp_path / "a", {(320, 0): 0.40, (320, 1): 0.42, (96, 0): 0.5})
    second = experiment(tmp_path / "b", {(320, 0): 0.38, (320, 1): 0.40, (200, 0): 0.3})
    comparison = compare(first, second)
    (pair,) = comparison.pairs
    assert pair.name == "S 0.95, 20 → 320, greedy, paper, ANS, one density"
    assert pair.bits.value == pytest.approx(-0.02)
    assert [[name.split(", ")[1] for name in only] for only in comparison.only] == [["20 → 96"], ["20 → 200"]]
    assert "smaller in 1" in text_of(comparison)
    assert "-0.0200 ± 0.0000" in text_of(comparison)


def test_accuracy_counts_once_for_settings_of_one_pair_of_models(tmp_path):
    bits = {(n_out, seed): 0.4 + n_out / 10_000 for n_out in (300, 310, 320) for seed in (0, 1)}
    first = experiment(tmp_path / "a", bits)
    second = experiment(tmp_path / "b", bits, config=make_config(optim__epochs=3), test_metric=0.98)
    text = summed_up(compare(first, second))
    assert text.startswith("3 settings in common")
    assert "Bits per weight: equal in 3." in text
    assert "Test accuracy, once for each of 1 pair of quantized networks: worse in 1." in text


def test_a_sweep_of_more_values_pairs_with_one_of_fewer(tmp_path):
    """Of a key that only the first sweeps, or that has one value in each, and another."""
    first, second, third = (
        write_report(
            tmp_path / name,
            [
                make_point(f"{name}{i}", [make_row(config=make_config(prune__structure=value))])
                for i, value in enumerate(values)
            ],
        )
        for name, values in {"a": (0.0, 1.0), "b": (1.0,), "c": (2.0,)}.items()
    )
    comparison = compare(first, second)
    assert [pair.name.split(", ")[-1] for pair in comparison.pairs] == ["prune.structure=1.0"]
    assert [name.split(", ")[-1] for name in comparison.only[0]] == ["prune.structure=0.0"]
    assert comparison.only[1] == ()
    assert len(compare(second, third).pairs) == 1


def of_settings(runs: Path, **changes: list[Any]) -> Path:
    """A report of a point for each combination of config keys' values, two seeds each; n_out is chosen by itself."""
    points = []
    for values in itertools.product(*changes.values()):
        for seed in (0, 1):
            chosen = dict(zip(changes, values, strict=True))
            config = make_config(seed=seed, code__n_out=None, **chosen)
            columns = {name.partition("__")[2]: v for name, v in chosen.items() if name.startswith("code__")}
            n_out = 320 + 32 * (len(points) % 3) + 64 * len(runs.name)
            row = make_row(
                seed=seed, n_out=n_out, config=config, prune_rate=config["prune"]["rate"], **columns
            )
            points.append(make_point(f"p{len(points)}", [row]))
    return write_report(runs, points)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"prune__structure": [1.0]}, ""),
        ({"code__patch_format": ["care"]}, "paper / care"),
        ({"code__fill": [0.9]}, ""),
        ({"optim__epochs": [3]}, ""),
    ],
)
def test_sweeps_that_differ_in_one_setting_are_compared_in_the_others(tmp_path, changes, named):
    """An n_out that was chosen from the masks differs with them, and keeps nothing apart."""
    rates = {"prune__rate": [0.9, 0.95], "quantize__n_planes": [1, 2]}
    first, second = of_settings(tmp_path / "a", **rates), of_settings(tmp_path / "bb", **rates, **changes)
    comparison = compare(first, second)
    assert len(comparison.pairs) == 4
    assert comparison.only == ((), ())
    assert all(named in pair.name for pair in comparison.pairs)
    for pair in comparison.pairs:
        assert pair.name.startswith(("S 0.9,", "S 0.95,"))
        assert "quantize.n_planes=" in pair.name
    assert summed_up(comparison).startswith("4 settings in common")


def test_one_value_is_compared_with_each_of_several_others(tmp_path):
    first = of_settings(tmp_path / "a", prune__structure=[0.0, 1.0], prune__rate=[0.9, 0.95])
    second = of_settings(tmp_path / "bb", prune__structure=[2.0], prune__rate=[0.9, 0.95])
    names = [pair.name for pair in compare(first, second).pairs]
    assert len(names) == 4
    assert sum("prune.structure=0.0" in name for name in names) == 2


def test_what_keeps_two_sweeps_apart_is_said(tmp_path):
    first = experiment(tmp_path / "a", {(320, 0): 0.4, (352, 0): 0.4})
    second = experiment(tmp_path / "b", {(96, 0): 0.4, (128, 0): 0.4})
    told = summed_up(compare(first, second))
    assert "have no setting in common: n_out is 320, 352 in " in told


def test_a_difference_too_small_for_its_digits_does_not_read_as_none():
    tiny = difference({0: 0.3, 1: 0.3}, {0: 0.30001, 1: 0.30001})
    assert shown(tiny) == "+1e-05 ± 0.0000"
    assert shown(difference({0: 0.3}, {0: 0.3})) == "+0.0000"
    assert shown(difference({0: 0.3}, {0: 0.31}), ACCURACY) == "+1.00"


def test_no_digit_is_cut_from_the_terminals_tables(tmp_path):
    first = write_report(tmp_path / "a", sweep(tmp_path / "a", n_seeds=3))
    second = write_report(tmp_path / "b", sweep(tmp_path / "b", n_seeds=3, chance=7))
    assert "…" not in text_of(compare(first, second))


def test_configs_that_differ_are_named_and_places_are_not(tmp_path):
    configs = [make_config(optim__epochs=8, paths__runs="a"), make_config(optim__epochs=16, paths__runs="b")]
    first, second = (
        experiment(tmp_path / name, {(320, 0): 0.4}, config=config)
        for name, config in zip("ab", configs, strict=True)
    )
    assert compare(first, second).config == (("optim.epochs", "8", "16"),)
    assert "optim.epochs" in text_of(compare(first, second))
    assert "No setting differs" in text_of(compare(first, first))


def test_only_settings_that_determine_nothing_are_left_out():
    """By their names in the configuration, which the results do not know."""
    assert {key for key in KEYS if determines_nothing(key)} == not_determining()


def test_the_front_is_of_validation_accuracy(tmp_path):
    sizes = {(100, 0): (0.30, 0.990, 0.980), (200, 0): (0.40, 0.989, 0.999), (300, 0): (0.50, 0.991, 0.970)}
    rows = [
        make_row(n_out=n_out, bits_per_weight=bits, validation_metric=validation, test_metric=test)
        for (n_out, _), (bits, validation, test) in sizes.items()
    ]
    report_dir = write_report(tmp_path, [make_point(f"p{i}", [row]) for i, row in enumerate(rows)])
    (side, _) = compare(report_dir, report_dir).sides
    assert front(side.settings, ACCURACY)["n_out"].to_list() == [100, 300]


def test_the_page_shows_both_and_loads_nothing(tmp_path):
    first = write_report(tmp_path / "a", sweep(tmp_path / "a", n_seeds=2, rates=(0.9, 0.95)))
    second = write_report(tmp_path / "b", sweep(tmp_path / "b", n_seeds=2, rates=(0.95, 0.98)))
    comparison = compare(first, second)
    write_comparison(comparison, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert page.sections == ["settings", "best", "fronts", "common", "only"]
    assert [len(figure["data"]) for figure in page.figures] == [4, 4]
    assert f"{comparison.pairs[0].bits.first:.4f}" in page.text
    # Of one name, they are told apart by their paths.
    assert str(first) in page.text
    assert str(second) in page.text
    assert not any({"src", "action"} & set(attributes) for _, attributes in page.elements)
    assert "none" in page.text[page.text.index("Best XOR point") : page.text.index("Bits against")]


def test_an_experiment_without_a_result_is_named(tmp_path):
    empty = write_report(tmp_path / "empty", [make_failure("p0", "broken")])
    whole = experiment(tmp_path / "whole", {(320, 0): 0.4})
    with pytest.raises(CollectError, match="empty/reports/lenet_sweep has no point with a result yet"):
        compare(whole, empty)
