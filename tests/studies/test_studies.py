"""The figures show what was measured: means, bests and bounds, on made-up measurements and on real ones."""

import pytest

from xorjax.codec.predict import choose_n_out, predict_bits
from xorjax.studies.limits import PATCH_FORMATS, SCHEMES, STUDIES, best, best_bits, best_n_out, value_bits
from xorjax.studies.synthetic import Measured, sweep


def made_up(rate=0.9, n_in=20, n_out=200, method="greedy", seed=0, patch_bits=0.05) -> Measured:
    return Measured(
        rate,
        n_in,
        n_out,
        method,
        seed,
        n_slices=100,
        patches_per_slice=1.0,
        patches_per_care_bit=0.05,
        code_bits=n_in / n_out,
        patch_bits=dict.fromkeys(PATCH_FORMATS[method], patch_bits),
        n_bounded=0,
    )


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    fills = {12: [0.7, 0.9, 1.1], 20: [0.8, 1.0]}
    return list(sweep(20_000, [0.6, 0.9], fills, PATCH_FORMATS, seeds=(0, 1)))


def lines_of(panel, kind):
    return {line.group: line for line in panel.lines if line.kind == kind}


def test_the_best_n_out_is_that_of_the_mean_over_seeds():
    runs = [
        made_up(n_out=200, seed=0, patch_bits=0.00),  # the smallest single run
        made_up(n_out=200, seed=1, patch_bits=0.09),
        made_up(n_out=250, seed=0, patch_bits=0.04),
        made_up(n_out=250, seed=1, patch_bits=0.04),
        made_up(n_out=160, method="minimum", patch_bits=0.0),
    ]
    assert [(m.n_out, m.seed) for m in best(runs, "greedy", "paper")] == [(250, 0), (250, 1)]


def test_value_bits_are_means_with_the_bound_beside_them():
    runs = [
        made_up(n_out=n_out, method=method, seed=seed, patch_bits=0.02 + 0.02 * seed)
        for n_out in (250, 200)
        for method in ("greedy", "minimum")
        for seed in (0, 1)
    ]
    panels = value_bits(runs)
    assert [panel.title for panel in panels] == [
        "S = 0.9: greedy, paper",
        "S = 0.9: minimum, care",
        "S = 0.9: minimum, enumerative",
    ]
    for panel in panels:
        line, code = (lines_of(panel, kind)["n_in 20"] for kind in ("with patches", "without patches"))
        assert line.x == code.x == [200, 250]
        assert line.y == pytest.approx([0.1 + 0.03, 0.08 + 0.03])
        assert code.y == pytest.approx([0.1, 0.08])
        bound = lines_of(panel, "1 - S, the bound")[None]
        assert bound.x == [200, 250]
        assert bound.y == pytest.approx([0.1, 0.1])


def test_the_fewest_value_bits_stand_beside_their_prediction(measured):
    for rate, panel in zip((0.6, 0.9), best_bits(measured), strict=True):
        found, predicted = (lines_of(panel, kind) for kind in ("measured", "predicted"))
        assert list(found) == [f"{method}, {patch_format}" for method, patch_format in SCHEMES]
        for method, patch_format in SCHEMES:
            group = f"{method}, {patch_format}"
            assert found[group].x == predicted[group].x == [12, 20]
            own = [m for m in measured if (m.prune_rate, m.n_in) == (rate, 20)]
            chosen = best(own, method, patch_format)
            assert found[group].y[1] == pytest.approx(
                sum(m.value_bits(patch_format) for m in chosen) / len(chosen)
            )
            n_weights = chosen[0].n_slices * chosen[0].n_out
            assert predicted[group].y[1] == pytest.approx(
                sum(
                    predict_bits(
                        20, chosen[0].n_out, rate, *(method, patch_format), n_weights=n_weights
                    ).values()
                )
            )
            assert predicted[group].y == pytest.approx(found[group].y, rel=0.08)
            assert min(found[group].y) > 1 - rate


def test_the_best_n_out_stands_beside_the_chosen_one(measured):
    panel = best_n_out(measured)[1]
    assert panel.title == "minimum, care"
    found, chosen = (
        lines_of(panel, "measured")["n_in 12"],
        lines_of(panel, "predicted, a multiple of 32")["n_in 12"],
    )
    assert found.x == pytest.approx([2.5, 10])
    assert chosen.y == [
        choose_n_out(12, rate, "minimum", "care", n_weights=n_weights)
        for rate, n_weights in ((0.6, 20_000), (0.9, 20_000))
    ]
    assert lines_of(panel, "n_in / (1 - S)")["n_in 12"].y == pytest.approx([30, 120])


def test_minimum_lines_lie_below_greedy_ones(measured):
    for panel in STUDIES["patches"].panels(measured):
        greedy, minimum = lines_of(panel, "greedy"), lines_of(panel, "minimum")
        for group, line in minimum.items():
            assert line.x == greedy[group].x
            assert all(y <= other for y, other in zip(line.y, greedy[group].y, strict=True))


def test_a_width_a_block_is_no_dearer_than_one_for_all_near_the_best(measured):
    for panel in STUDIES["patch_counts"].panels(measured):
        one, block = lines_of(panel, "one width"), lines_of(panel, "a width a block")
        assert all(min(block[group].y) < min(one[group].y) for group in one)


@pytest.mark.parametrize("name", STUDIES)
def test_panels_fill_their_rows_and_rows_share_a_scale(name, measured):
    study = STUDIES[name]
    panels = study.panels(measured)
    assert len(panels) % study.n_columns == 0
    for panel in panels:
        low, high = panel.y_range
        assert any(low <= y <= high for line in panel.lines for y in line.y)
        assert all(len(line.x) == len(line.y) > 0 for line in panel.lines)
    if name in ("value_bits", "patch_counts", "best_n_out"):
        rows = [panels[i : i + study.n_columns] for i in range(0, len(panels), study.n_columns)]
        assert all(len({panel.y_range for panel in row}) == 1 for row in rows)
    if name == "patches":
        for title in ("patches per slice", "patches per care bit"):
            assert len({panel.y_range for panel in panels if panel.y_title == title}) == 1
