from typing import Any

import polars as pl
import pytest
from synthetic import N_WEIGHTS, PERPLEXITY, make_baseline, make_config, make_failure, make_other, make_row

from xorjax.results.best import Best
from xorjax.results.masks import per_mask
from xorjax.results.rows import to_frame
from xorjax.results.tables import by_axis, per_point, per_setting, summarise, summarise_models, with_best_gaps
from xorjax.results.variants import varied_keys
from xorjax.streams import BIT_STREAMS, bits_over_layers


def code(bits: float, **values: Any) -> dict[str, Any]:
    """A row with `bits` value bits and no others, in a point of its own."""
    parts = dict.fromkeys(BIT_STREAMS, 0.0) | {"code_bits": bits, "bits_per_weight": bits}
    point = f"{values.get('seed', 0)}-{values.get('prune_rate', 0.95)}-{values.get('n_out', 320)}"
    return make_row(**{"point": point, **parts, **values})


def best_of(rows: list[dict[str, Any]], *swept: str) -> Best:
    (best,) = summarise(to_frame(rows), swept)
    return best


@pytest.mark.parametrize(
    ("validated", "metric", "chosen", "is_close"),
    [
        ((0.9910, 0.9905, 0.9904), {"dense_validation_metric": 0.9920}, 0.30, True),
        ((0.9850, 0.9850, 0.9800), {}, 0.30, False),
        ((90.0, 91.4, 91.6), PERPLEXITY, 0.30, True),
        ((97.0, 95.0, 96.0), PERPLEXITY, 0.30, False),
    ],
)
def test_the_smallest_close_to_the_reference_is_best_else_the_one_that_validates_best(
    validated, metric, chosen, is_close
):
    rows = [
        code(bits, n_out=i, test_metric=0.5, **metric | {"validation_metric": of})
        for i, (bits, of) in enumerate(zip((0.40, 0.30, 0.20), validated, strict=True))
    ]
    best = best_of(rows)
    assert (best.bits_per_weight, best.is_close) == (pytest.approx(chosen), is_close)
    assert best.tested.endswith(" *") != is_close


def test_means_and_spreads_are_over_seeds():
    accuracies, sizes = (0.9910, 0.9920, 0.9930), (0.30, 0.32, 0.34)
    rows = [
        code(size, seed=seed, test_metric=accuracy, patches_per_slice=seed)
        for seed, (accuracy, size) in enumerate(zip(accuracies, sizes, strict=True))
    ]
    best = best_of(rows)
    found = (best.test_metric, best.test_metric_spread, best.bits_per_weight, best.bits_per_weight_spread)
    assert found == pytest.approx((0.9920, 0.0010, 0.32, 0.02))
    assert (best.n_seeds, best.patches_per_slice) == (3, pytest.approx(1.0))
    assert (best_of(rows[:1]).test_metric_spread, "±" in best_of(rows[:1]).tested) == (None, False)


def test_prune_rates_are_apart_and_in_order():
    rows = [code(0.2, prune_rate=0.98), code(0.5, prune_rate=0.9), code(0.3, prune_rate=0.95)]
    assert [best.prune_rate for best in summarise(to_frame(rows))] == [0.9, 0.95, 0.98]


def test_layers_are_weighted_by_their_weights_and_slices():
    rows = [
        code(0.4, layer="fc1", n_weights=300, n_kept=30, n_slices=1, patches_per_slice=1.0),
        code(0.8, layer="fc2", n_weights=100, n_kept=5, n_slices=3, patches_per_slice=5.0),
    ]
    point = per_point(to_frame(rows)).row(0, named=True)
    assert point["bits_per_weight"] == pytest.approx(0.5)
    for column in (*BIT_STREAMS, "bits_per_weight"):
        assert point[column] == pytest.approx(bits_over_layers(rows, column))
    assert point["patches_per_slice"] == pytest.approx(4.0)
    assert point["value_bound"] == pytest.approx(35 / 400)


def test_shapes_that_no_layer_has_are_not_said():
    """A range over layers, and over seeds where n_out is chosen from the masks."""
    config = make_config(code__n_out=None)
    layers = ({"layer": "fc1", "n_in": 20, "n_out": 128}, {"layer": "fc2", "n_in": 12, "n_out": 32})
    assert (
        best_of([code(0.4, config=config, point="p", **own) for own in layers]).shape
        == "12 to 20 → 32 to 128"
    )
    rows = [
        code(0.4, seed=seed, n_out=n_out, config=make_config(seed=seed, code__n_out=None))
        for seed, n_out in enumerate((318, 320, 325))
    ]
    best = best_of(rows)
    assert (best.shape, best.n_out, best.n_seeds, best.asked) == ("20 → 318 to 325", 321, 3, "automatic")
    assert best_of(rows[:1]).shape == "20 → 318"


def test_two_rules_that_choose_the_same_are_told_apart():
    configs = [make_config(code__n_out=None, code__fill=fill) for fill in (0.9, 0.95)]
    rows = [code(0.4, point=str(i), config=config) for i, config in enumerate(configs)]
    assert per_setting(per_point(to_frame(rows)))["shape"].to_list() == [
        "20 → 320 (fill 0.9)",
        "20 → 320 (fill 0.95)",
    ]
    # The bound counts every bit plane.
    assert best_of([code(0.4, n_weights=100, n_kept=10, n_planes=2)]).value_bound == pytest.approx(0.2)


def test_layers_that_are_coded_apart_are_one_point():
    config = make_config(prune__rate=0.9)
    first = make_row(config=config, prune_rate=0.95, n_in=20, n_out=300, point="a")
    other = make_other("signs", "golomb", config=config, prune_rate=0.8, layer="fc2", point="a")
    best = best_of([first, other])
    assert (best.prune_rate, best.code, best.mask_codec) == (0.9, "mixed", "mixed")
    assert best.patches_per_slice == first["patches_per_slice"]


def test_failed_rows_count_for_nothing():
    rows = [code(0.3), make_failure("p9", "broken")["rows"][0]]
    assert summarise(to_frame(rows)) == summarise(to_frame(rows[:1]))
    assert summarise(to_frame(rows[1:])) == []


def test_settings_that_differ_beside_the_shape_are_told_apart():
    rows = [code(0.5 - i / 10, point=f"p{i}", config=make_config(code__seed=i)) for i in (1, 2)]
    table = to_frame(rows)
    settings = per_setting(per_point(table, varied_keys((table, ["code.seed"]))))
    assert settings["variant"].to_list() == ["code.seed=1", "code.seed=2"]
    assert settings["model_variant"].unique().to_list() == [""]
    assert best_of(rows, "code.seed").variant == "code.seed=2"


def test_columns_of_the_coding_tell_settings_of_one_model_apart():
    coding = [("minimum", "care", "ans"), ("greedy", "care", "ans"), ("minimum", "paper", "ans")]
    coding.append(("minimum", "care", "csr5"))
    names = ("method", "patch_format", "mask_codec")
    rows = [
        code(0.3 + 0.01 * i, point=f"p{i}", **dict(zip(names, c, strict=True))) for i, c in enumerate(coding)
    ]
    settings = per_setting(per_point(to_frame(rows)))
    assert sorted(settings.select(names).iter_rows()) == sorted(coding)
    assert set(settings["variant"]) == set(settings["model_variant"]) == {""}
    best = best_of(rows)
    assert (best.method, best.patch_format, best.mask_codec) == coding[0]


def test_settings_of_an_approximate_mask_are_models_and_of_an_exact_one_are_not():
    configs = [make_config(mask__codec="lowrank", mask__rank=rank) for rank in (8, 16)]
    configs += [make_config(mask__codec="ans", mask__rank=rank) for rank in (8, 16)]
    rows = [
        code(0.3, point=f"p{i}", mask_codec=config["mask"]["codec"], config=config)
        for i, config in enumerate(configs)
    ]
    table = to_frame(rows)
    points = per_point(table, varied_keys((table, ["mask.rank", "mask.codec"])))
    assert points["variant"].to_list() == ["mask.rank=8", "mask.rank=16"] * 2
    models = ["lowrank, mask.rank=8", "lowrank, mask.rank=16", "exact", "exact"]
    assert points["model_variant"].to_list() == models
    assert points["quantized"].n_unique() == 3


def front() -> list[dict[str, Any]]:
    """Two seeds of trained codes, and of a searched code behind an exact mask and one that a codec chooses."""
    rows = []
    for seed in (0, 1):
        for words, n_out, bits in (("search", 20, 0.41), ("search", 160, 0.06), ("latent", 20, 0.41)):
            shape = {"code": {"id": "trained", "n_in": 8, "n_out": n_out}, "prune__rate": 0.0}
            config = make_config(seed=seed, quantize__words=words, **shape)
            values = dict.fromkeys(("mask_codec", "method", "patch_format"))
            values |= {
                "prune_rate": 0.0,
                "code": "trained",
                "point": f"{words}{n_out}-s{seed}",
                "n_in": 8,
                "n_out": n_out,
                "n_kept": N_WEIGHTS,
            }
            values["quantized"] = values["point"]
            rows.append(code(bits, seed=seed, config=config, **values))
        for mask, n_in, bits in (("ans", 20, 0.34), ("ans", 64, 0.33), ("lowrank", 20, 0.12)):
            config = make_config(
                seed=seed, mask__codec=mask, code__n_in=n_in, code__n_out=None, quantize__words="search"
            )
            values = {"mask_codec": mask, "kept_score": 1.0 if mask == "ans" else 0.9, "n_in": n_in}
            rows.append(code(bits, seed=seed, config=config, point=f"{mask}{n_in}-s{seed}", **values))
    return rows


def test_a_network_that_is_trained_in_a_code_is_a_model_of_its_own():
    table = to_frame(front())
    points = per_point(table, varied_keys((table, ["quantize.words", "code.n_out"])))
    assert points.filter(seed=0).select("prune_rate", "model_variant").rows() == [
        (0.0, "trained, 8 → 20, quantize.words=search"),
        (0.0, "trained, 8 → 160, quantize.words=search"),
        (0.0, "trained, 8 → 20, quantize.words=latent"),
        (0.95, "exact"),
        (0.95, "exact"),
        (0.95, "lowrank"),
    ]
    # A model that keeps all weights has no mask.
    assert per_mask(points).select("prune_rate", "codec").rows() == [(0.95, "ans"), (0.95, "lowrank")]


def test_models_of_one_prune_rate_are_all_told_each_in_its_smallest_code():
    table = to_frame(front())
    points = per_point(table, varied_keys((table, ["quantize.words"])))
    models = summarise_models(points)
    assert [(best.bits_per_weight, best.n_seeds, best.said) for best in models] == [
        (pytest.approx(0.06), 2, "S 0, trained, 8 → 160, quantize.words=search"),
        (pytest.approx(0.12), 2, "S 0.95, 20 → 320, greedy, paper, low rank"),
        (pytest.approx(0.33), 2, "S 0.95, 64 → 320, greedy, paper, ANS, one density"),
        (pytest.approx(0.41), 2, "S 0, trained, 8 → 20, quantize.words=latent"),
        (pytest.approx(0.41), 2, "S 0, trained, 8 → 20, quantize.words=search"),
    ]
    one_model = points.filter(pl.col("model_variant") == "exact")
    assert summarise_models(one_model) == []


def test_the_file_of_the_best_is_of_the_seed_that_validates_best():
    validated = (0.9912, 0.9915, 0.9915)
    rows = [
        code(0.3, seed=seed, point=f"seed{seed}", validation_metric=accuracy, test_metric=0.99 - seed / 100)
        for seed, accuracy in enumerate(validated)
    ]
    assert best_of(rows).point == "seed1"


def test_layers_keep_magnitude_by_their_kept_weights():
    rows = [code(0.3, n_kept=300, kept_score=0.9), code(0.3, layer="fc2", n_kept=100, kept_score=0.5)]
    assert best_of(rows).kept_score == pytest.approx(0.8)


def test_baselines_stand_beside_the_best_point_of_the_same_quantized_model():
    configs = {scale: make_config(quantize__scale=scale) for scale in ("tensor", "channel")}
    rows = [
        code(0.30, point="a", config=configs["channel"]),
        code(0.25, point="b", config=configs["tensor"]),
        make_baseline("csr5", 0.4, 0.1, point="a", config=configs["channel"]),
        make_baseline("csr5", 0.3, 0.1, scale_bits=0.0, point="b", config=configs["tensor"]),
    ]
    best = best_of(rows, "quantize.scale")
    assert best.variant == "quantize.scale=tensor"
    assert best.sizes == {"CSR + signs": pytest.approx(0.4)}


def test_baselines_of_an_approximate_mask_stand_beside_its_own_points_only():
    exact, approximate = code(0.30, point="a"), code(0.25, point="b", mask_codec="lowrank")
    rows = [exact, approximate]
    for row, index_bits in ((exact, 0.4), (approximate, 0.3)):
        same = {key: row[key] for key in ("point", "config", "quantized")}
        rows.append(make_baseline("csr5", index_bits, 0.1, scale_bits=0.0, **same))
    best = best_of(rows)
    assert best.mask_codec == "lowrank"
    # The signs behind the mask as its code stores it: what an honest rival would do.
    same_mask = best.value_bound + best.index_bits + best.scale_bits
    assert best.sizes == pytest.approx({"CSR + signs": 0.4, "same mask + signs": same_mask})
    assert best.least == pytest.approx(same_mask)
    assert best_of([exact, *rows[2:]]).sizes == {"CSR + signs": pytest.approx(0.5)}


def test_relative_indices_are_compared_at_their_best_width():
    """It may be another one at each prune rate, and for all seeds of one it is the same."""
    rows = [code(0.30, prune_rate=rate, seed=seed) for rate in (0.9, 0.95) for seed in (0, 1)]
    for row, bits in zip(list(rows), ((0.40, 0.37), (0.40, 0.44), (0.33, 0.30), (0.33, 0.30)), strict=True):
        same = {key: row[key] for key in ("point", "config", "quantized", "prune_rate", "seed")}
        for width, index_bits in zip((4, 7), bits, strict=True):
            rows.append(make_baseline("csr5", index_bits, 0.1, scale_bits=0.0, **same))
            rows[-1] |= {"mask_codec": f"csr{width}"}
    table = to_frame(rows)
    summary = summarise(table)
    assert [best.sizes["CSR + signs"] for best in summary] == pytest.approx([0.50, 0.40])
    names = ["4-bit gaps + signs", "7-bit gaps + signs"]
    assert [one.best for best in summary for one in best.baselines] == names
    drawn = with_best_gaps(per_point(table))
    assert drawn.filter("baseline")["codec"].unique(maintain_order=True).to_list() == names
    assert drawn.filter(~pl.col("baseline")).height == 4


def test_totals_at_the_entropy_of_the_signs_have_the_same_mask():
    entropies = {"index_bits": 0.3, "scale_bits": 0.01, "bits_per_weight": 0.36}
    known = code(0.05, **entropies, sign_entropy=0.04, context_entropy=0.03)
    at_entropy = {"same mask + sign entropy": 0.35, "same mask + context entropy": 0.34}
    assert best_of([known]).at_entropy == pytest.approx(at_entropy)
    # A layer that does not say its entropy makes that of the whole unknown.
    assert best_of([known, code(0.05, layer="fc2", point=known["point"])]).at_entropy == {}


def test_every_value_of_an_axis_has_its_best_setting_at_each_prune_rate():
    rows = [
        code(bits, n_in=n_in, prune_rate=rate, n_out=n_out, point=f"{rate}-{n_in}-{n_out}")
        for rate, more in ((0.9, 0.3), (0.95, 0.0))
        for n_in, n_out, bits in ((8, 64, 0.30 + more), (8, 80, 0.28 + more), (16, 160, 0.25 + more))
    ]
    points = per_point(to_frame(rows))
    found = {
        (axis, value): {rate: row["bits_per_weight"] for rate, row in best.items()}
        for axis, value, best in by_axis(points)
    }
    assert found["n_in", "8"] == {0.9: pytest.approx(0.58), 0.95: pytest.approx(0.28)}
    assert found["n_in", "16"] == {0.9: pytest.approx(0.55), 0.95: pytest.approx(0.25)}
    assert {axis for axis, _ in found} == {"n_in", "asked"}
    # What differs between prune rates alone is no axis.
    assert by_axis(per_point(to_frame([rows[0], rows[-1]]))) == []


def test_bounded_slices_of_all_points_of_a_rate_are_counted():
    rows = [code(0.2), code(0.3, n_out=200, point="p7", n_bounded=3), code(0.3, prune_rate=0.9)]
    rows.append(rows[1] | {"layer": "fc2", "n_bounded": 2})
    assert [best.n_bounded for best in summarise(to_frame(rows))] == [0, 5]
