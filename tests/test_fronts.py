"""The fronts of docs/results.md: what is one setting, what stands beside it, what wins."""

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))

from documents.fronts import fronts, of_table, winners
from documents.measured import Measured

from xorjax.results.names import SAME_MASK

COMMON = {
    "dataset": "mnist", "model": "lenet5", "layer": "fc1", "seed": 0, "prune_rate": 0.98, "code": "xor",
    "mask_codec": "xor", "baseline": False, "n_in": 64, "n_out": 1000, "method": "minimum",
    "patch_format": "care", "n_planes": 1, "words": "search", "mask": "xor", "n_weights": 400_000,
    "dense_metric": 0.99, "reference_metric": 0.99, "test_metric": 0.98, "code_bits": 0.02, "patch_bits": 0.003,
    "index_bits": 0.05, "scale_bits": 0.001, "bits_per_weight": 0.074,
}  # fmt: skip
TRAINED = {"code": "trained", "prune_rate": 0.0, "mask": "ans_rc", "mask_codec": None, "n_in": 8}
PACKED = {"baseline": True, "code": "signs", "n_in": None, "n_out": None, "patch_bits": 0.0}


def measured(*rows):
    return Measured.of({"command": "none"}, [COMMON | row for row in rows])


def found(*rows):
    return {place.method: place for _, place in of_table("made", measured(*rows).frame())}


def test_seeds_are_one_setting_and_shapes_that_were_trained_in_are_several():
    rows = [TRAINED | {"n_out": n_out, "seed": seed} for n_out in (20, 34) for seed in (0, 1)]
    places = found(*rows)
    assert sorted(places) == [
        "trained, 8 → 20, minimum, care, search",
        "trained, 8 → 34, minimum, care, search",
    ]
    assert [place.n_seeds for place in places.values()] == [2, 2]
    assert not any(place.searched for place in places.values())


def test_an_n_out_that_was_chosen_from_the_mask_is_no_setting():
    (place,) = found({"n_out": 990, "test_metric": 0.97}, {"seed": 1}).values()
    assert place.searched
    assert (place.n_seeds, place.loss) == (2, pytest.approx(1.5))


def test_behind_a_chosen_mask_packed_signs_take_a_bit_each_beside_the_mask_as_it_was_written():
    bitmap = PACKED | {
        "mask_codec": "bitmap",
        "code_bits": 0.0204,
        "index_bits": 1.0,
        "bits_per_weight": 1.0214,
    }
    places = found({}, bitmap)
    same = places[f"{SAME_MASK}, mask: XOR network, S=0.98"]
    assert same.total == pytest.approx(0.0204 + 0.05 + 0.001)
    assert math.isnan(same.half_width)
    assert {place.model for place in places.values()} == {same.model}
    # An exact mask is stored by the rivals as by the code.
    exact = {"mask": "ans_rc", "mask_codec": "ans_rc"}
    assert len(found(exact, bitmap | {"mask": "ans_rc"})) == 2


def test_signs_without_a_network_are_no_place():
    assert list(found({}, PACKED | {"mask_codec": None, "test_metric": None})) == list(found({}))


def test_what_wins():
    first, second, third = [
        place
        for total, lost in ((0.2, 0.5), (0.1, 0.5), (0.3, 0.2))
        for place in found({"bits_per_weight": total, "test_metric": 0.99 - lost / 100}).values()
    ]
    assert winners([first, second, third]) == [second, third]
    level = found({"bits_per_weight": 0.1, "test_metric": 0.9}).values()
    assert winners([*level, second]) == [second]


def test_of_a_model_that_two_tables_of_one_recipe_have_the_first_counts(tmp_path, monkeypatch):
    for name, test in (("lenet_headline", 0.98), ("lenet_sweep", 0.985), ("other", 0.97)):
        rows = [{"test_metric": test, "seed": seed} for seed in (0, 1)]
        (tmp_path / f"{name}.csv").write_text(measured(*rows).text())
    (tmp_path / "lenet_masks.csv").write_text(measured({"prune_rate": 0.9, "bits_per_weight": 0.2}).text())
    (tmp_path / "times.csv").write_text("# command: none\nratio\n0.5\n")
    for target in ("documents.fronts", "documents.measured"):
        monkeypatch.setattr(f"{target}.TABLES", tmp_path)
    (places,) = fronts().values()
    assert [place.table for place in places] == ["lenet_headline"]
    assert places[0].loss == pytest.approx(1.0)
