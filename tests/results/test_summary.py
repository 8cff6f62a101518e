"""What the report says of the best points, of M, and of what failed."""

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_baseline, make_config, make_failure, make_point, make_row, sweep, write_report
from test_report import Page

from xorjax.data import DATASETS
from xorjax.results.names import VALIDATION_IMAGES
from xorjax.results.notes import verdict
from xorjax.results.progress_section import NAMED
from xorjax.results.report import build_report
from xorjax.results.rows import to_frame
from xorjax.results.tables import summarise

CSR = {"name": "csr5", "index_bits": 0.30, "code_bits": 0.05}
"""Together with the scales .39 bits, less than the XOR code's .41."""


def report(runs: Path, rows: list[dict[str, Any]], **values: Any) -> Page:
    points = [make_point(f"p{i}", [row]) for i, row in enumerate(rows)]
    return Page(build_report(write_report(runs, points, **values)))


def test_the_whole_file_stands_beside_the_layers(tmp_path):
    rows = [make_row(file_bits_per_parameter=2.5), make_row(seed=1, point="p1", file_bits_per_parameter=2.75)]
    (best,) = summarise(to_frame(rows))
    assert best.file_bits_per_parameter == 2.625
    text = report(tmp_path, rows).text
    heads = text[text.index("Best XOR point of each") :]
    assert heads.index("total") < heads.index("bits / parameter") < heads.index("XOR code")
    assert "2.625" in heads
    assert "The whole file takes 2.625 bits per parameter of the model." in text
    assert "models/S*.safetensors need not be the smallest" in text


def test_a_file_that_nobody_counted_is_not_spoken_of(tmp_path):
    text = report(tmp_path, [make_row(file_bits_per_parameter=None)]).text.lower()
    assert "whole file" not in text[: text.index("all points")]


def test_the_headline_says_what_a_point_is_and_how_far_it_is_from_floats(tmp_path):
    text = report(tmp_path, [make_row()]).text
    assert "A point is one setting and one seed." in text
    assert "about 78 times fewer than float32, for the compressed layers alone." in text


def test_sizes_that_read_the_same_are_all_the_smallest(tmp_path):
    rows = [make_row(bits_per_weight=0.3904), make_baseline(**CSR)]
    text = build_report(write_report(tmp_path, [make_point("p0", rows)])).read_text(encoding="utf-8")
    assert text.count('<td class="least">0.390</td>') == 2


def test_codecs_that_read_the_same_are_named_together():
    (best,) = summarise(to_frame([make_row(bits_per_weight=0.3904), make_baseline(**CSR)]))
    assert best.smallest == "XOR code and CSR + signs"
    assert verdict([best]) == (
        "The smallest codecs are XOR code and CSR + signs, tied in the digits shown where two are named."
    )


def test_columns_of_one_value_are_a_sentence(tmp_path):
    page = report(tmp_path, [make_row(prune_rate=0.9), make_row(prune_rate=0.95, method="minimum")])
    table = page.text[page.text.index("Best XOR point") : page.text.index("All codecs")]
    assert (
        "The same in every row: patch format paper; mask codec ANS, one density; seeds 1; scale 0.040."
        in table
    )
    assert table.count("method") == 1
    assert "minimum" in table
    assert "greedy" in table


def test_one_codec_has_one_name(tmp_path):
    page = Page(build_report(write_report(tmp_path, sweep(tmp_path, rates=(0.9,), n_seeds=1))))
    assert "relative index" not in page.text
    assert "5-bit gaps + signs" in page.text
    assert page.data["marks"]["5-bit gaps + signs"] == "triangle-down-open"
    assert page.data["names"] == {"mask_codec": {"ans": "ANS, one density"}}


def test_the_split_sizes_are_those_of_the_data():
    assert {name: spec.sizes["validation"] for name, spec in DATASETS.items()} == VALIDATION_IMAGES


def test_the_images_of_a_split_are_known_where_all_points_agree(tmp_path):
    assert report(tmp_path / "a", [make_row()]).data["examples"] == {"validation": 5000, "test": 10_000}
    configs = [make_config(data__n_validation=n) for n in (1000, 1000, None)]
    rows = [make_row(config=config, n_out=300 + i) for i, config in enumerate(configs)]
    assert report(tmp_path / "b", rows[:2]).data["examples"]["validation"] == 1000
    assert report(tmp_path / "c", rows).data["examples"]["validation"] is None


def test_all_points_failed_is_said(tmp_path):
    failures = [make_failure(name, "broken") for name in "ab"]
    assert (
        "All 2 points of this experiment failed."
        in Page(build_report(write_report(tmp_path / "a", failures))).text
    )
    text = Page(build_report(write_report(tmp_path / "b", failures, planned=["a", "b", "c"]))).text
    assert "No point of this experiment has a result yet. 2 points failed." in text


def failed(name: str, message: str, **values: Any) -> dict[str, Any]:
    config = make_config(code__n_in=values.pop("n_in", 20), code__n_out=None)
    return make_failure(name, message, seed=0, prune_rate=0.9, config=config, **values)


def test_equal_failures_are_one_with_their_stage_their_points_and_the_first_command(tmp_path):
    points = [failed(f"p{i}", "ValueError: odd", command=f"run {i}", n_in=10 + i) for i in range(NAMED + 3)]
    points.append(failed("alone", "OSError: full", command="run alone"))
    (tmp_path / "stages.jsonl").write_text(
        json.dumps({"event": "failed", "stage": "quantize", "name": "q", "error": "ValueError: odd"})
        + '\nnot JSON with "failed"\n'
    )
    text = Page(build_report(write_report(tmp_path, points))).text
    assert text.count("ValueError: odd") == 1
    assert f"{NAMED + 3} points failed in the stage quantize" in text
    assert "S 0.9, n_in 10, seed 0" in text
    assert f"S 0.9, n_in {9 + NAMED}, seed 0" in text
    assert f"S 0.9, n_in {10 + NAMED}, seed 0" not in text
    assert "and 3 more points" in text
    blocks = text[: text.index("All points")]
    assert "run 0" in blocks
    assert "run 1" not in blocks
    assert "1 point failed" in blocks
    assert "run alone" in blocks


def test_failed_rows_say_first_that_they_failed_and_their_n_in(tmp_path):
    points = [make_point("a", [make_row()]), failed("b", "broken", n_in=33)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert page.data["listed"][:2] == ["status", "n_in"]
    assert page.data["columns"]["n_in"]["values"] == [20, 33]
    # A failed point has no layer: it makes no second one.
    assert "by layer" not in page.text


@pytest.mark.parametrize(("n_validation", "told"), [(1000, True), (5000, False), (None, False)])
def test_a_tolerance_of_too_few_images_is_told(tmp_path, n_validation, told):
    config = make_config(data__n_validation=n_validation)
    text = report(tmp_path, [make_row(config=config)]).text
    assert ("0.15 pp are 1.5 of the 1,000 validation images, too few to tell" in text) == told
