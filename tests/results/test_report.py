"""The report: its sections, tables and figures hold the numbers of the points on disk."""

import html
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from pages import Page, report, traces, unpack
from synthetic import (
    collect,
    make_baseline,
    make_config,
    make_failure,
    make_point,
    make_row,
    sweep,
    write_metrics,
    write_report,
)

from xorjax.data import DATASETS
from xorjax.results.caps import BARS, PANELS, WORDS
from xorjax.results.collect import CollectError
from xorjax.results.names import VALIDATION_IMAGES
from xorjax.results.palette import NEUTRAL
from xorjax.results.progress import FAILURES
from xorjax.results.report import build_report
from xorjax.results.tables import summarise

SECTIONS = ["summary", "points", "bits", "accuracy", "masks", "patches", "baselines", "training", "settings"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The report directory of a finished sweep of 54 points."""
    runs = tmp_path_factory.mktemp("runs")
    report_dir = write_report(runs, sweep(runs))
    assert build_report(report_dir) == report_dir / "report.html"
    return report_dir


@pytest.fixture(scope="module")
def page(whole) -> Page:
    return Page(whole / "report.html")


@pytest.fixture(scope="module")
def codings(tmp_path_factory) -> Page:
    """Two methods and four mask codecs at one XOR shape."""
    runs = tmp_path_factory.mktemp("codings")
    codecs = ("ans", "ans_rc", "lowrank", "codebook")
    points = sweep(runs, n_ins=(20,), fills=(0.9,), methods=("minimum", "greedy"), mask_codecs=codecs)
    points[5]["rows"][0]["n_bounded"] = 17
    return report(runs, points)


def test_a_whole_sweep_has_every_section(page):
    assert page.sections == [*SECTIONS, "glossary"]
    assert "54 of 54 points finished, none failed" in page.text
    assert "XOR-coded weights of LeNet-5 on MNIST" in page.text


def test_the_tables_hold_the_numbers_of_the_points(page, whole):
    table = collect(whole)
    best_points = {row["prune rate S"]: row for row in page.tables["best points"]}
    codecs = {row["prune rate S"]: row for row in page.tables["all codecs"]}
    for best in summarise(table):
        row, sizes = best_points[f"{best.prune_rate:g}"], codecs[f"{best.prune_rate:g}"]
        assert row["total"] == sizes["XOR code"] == f"{best.bits_per_weight:.3f}"
        assert row["compressed"] == best.tested
        for stream in ("code", "patch", "index"):
            assert row[stream] == f"{getattr(best, f'{stream}_bits'):.3f}"
        for name, bits in best.sizes.items():
            assert sizes[name].startswith(f"{bits:.3f}")
        assert sizes["XOR code / smallest"] == f"{best.bits_per_weight / best.least:.3f}"
    assert page.values("bits_per_weight") == pytest.approx(table["bits_per_weight"].to_list(), abs=5e-5)


def test_the_opening_names_the_best_of_each_kind_with_its_bytes(page, whole):
    lines = {row[""].partition("\n")[0]: row for row in page.tables["the best"]}
    assert set(lines) == {"best searched", "best other codec"}
    close = [best for best in summarise(collect(whole)) if best.is_close]
    smallest = min(close, key=lambda best: best.bits_per_weight)
    line = lines["best searched"]
    assert (line["bits / weight"], line["file, bytes"]) == (f"{smallest.bits_per_weight:.3f}", "20,500")
    assert line["float32 / coded"] == f"{32 / smallest.bits_per_weight:.0f}"
    assert lines["best other codec"]["bits / weight"] == f"{min(min(b.sizes.values()) for b in close):.3f}"


def test_where_nothing_is_close_the_rival_of_what_is_shown_is_shown(tmp_path):
    far = {"validation_metric": 0.9, "test_metric": 0.9}
    rival = make_baseline("csr5", 0.3, 0.01, **far)
    page = report(tmp_path, [make_point("a", [make_row(**far), rival])])
    lines = {row[""].partition("\n")[0]: row for row in page.tables["the best"]}
    assert lines["best other codec"]["bits / weight"] == "0.350"
    assert {row["test accuracy (%)"] for row in lines.values()} == {"90.00 *"}


def test_patches_are_drawn_at_each_n_out_that_there_is(tmp_path):
    given = ((318, 0.2), (320, 0.3), (320, 0.5))
    rows = [
        make_row(seed=i, n_out=n, patches_per_slice=p, config=make_config(seed=i, code__n_out=None))
        for i, (n, p) in enumerate(given)
    ]
    page = report(tmp_path, rows)
    (figure,) = page.drawn("Patches per slice")
    (line,) = figure["data"]
    assert (line["x"], line["y"]) == ([318, 320], pytest.approx([0.2, 0.4]))
    assert line["error_y"]["array"] == pytest.approx([0, 0.02**0.5])
    settings = unpack(page.data["points"]["setting_of_seed"])
    assert ["20 → 318" in settings[0], "20 → 320" in settings[1]] == [True, True]


def test_every_value_that_was_swept_has_a_line(page):
    lines = {row["points with"]: row for row in page.tables["by what was swept"]}
    assert {"n_in 12", "n_in 20", "n_in 32"} <= set(lines)
    least = min(page.tables["best points"], key=lambda row: row["prune rate S"])["total"]
    assert least in {lines[f"n_in {n_in}"]["total"] for n_in in (12, 20, 32)}


def test_bars_are_the_streams_and_the_line_is_the_bound(page):
    figures, streams = page.drawn("Bits per weight, S = "), ("code", "patch", "index", "scale")
    for figure, bound in zip(figures, (0.1, 0.05, 0.02), strict=True):
        assert {name: len(bar["y"]) for name, bar in traces(figure).items()} == dict.fromkeys(streams, 6)
        assert figure["layout"]["shapes"][0]["x0"] == pytest.approx(bound)


def test_every_seed_is_a_dot_and_what_decides_is_drawn_where_it_decides(page, whole):
    validation, test = page.drawn("Accuracy, ")
    for figure in (validation, test):
        dots = traces(figure)["one seed"]
        labels, found = ("dense", "0.9", "0.95", "0.98"), zip(dots["text"], dots["customdata"], strict=True)
        assert list(found) == [(label, seed) for label in labels for seed in range(3)]
        assert len(set(dots["y"])) == 12
    reference = 100 * collect(whole).unique("seed")["reference_validation_metric"].mean()
    levels = [shape["x0"] for shape in validation["layout"]["shapes"]]
    assert levels == pytest.approx(3 * [reference, reference - 0.15])
    assert len(test["layout"]["shapes"]) == 3


def test_codings_of_one_shape_are_named_by_what_differs(codings):
    for figure in codings.drawn("Bits per weight, S = "):
        masks = ("ANS, one density", "ANS, row x column", "low rank", "codebook")
        assert set(figure["data"][0]["y"]) == {
            f"{of}, {mask}" for of in ("minimum", "greedy") for mask in masks
        }
    labels = set(traces(codings.drawn("Accuracy, ")[0])["one seed"]["text"])
    assert {"dense", "0.9, exact", "0.9, codebook", "0.98, low rank"} <= labels
    assert len(labels) == 10
    (line,) = (row for row in codings.tables["best points"] if row["prune rate S"] == "0.9")
    assert line["bounded slices"] == "17"
    lines = traces(codings.drawn("Patches per slice, S = 0.9")[0])
    assert lines["n_in 20, minimum, exact"]["line"]["dash"] == "solid"
    assert lines["n_in 20, greedy, low rank"]["line"]["dash"] == "dash"


def test_masks_are_shown_by_what_they_cost_and_keep(codings, page):
    for figure in codings.drawn("Masks, S = "):
        marks = traces(figure)
        assert set(marks) == {"H(S)", "bitmap", "ans", "ans_rc", "csr5", "golomb", "lowrank", "codebook"}
        assert marks["lowrank"]["x"][0] < marks["codebook"]["x"][0] < marks["H(S)"]["x"][0]
        assert marks["ans"]["y"] == marks["csr5"]["y"] == pytest.approx([marks["lowrank"]["y"][0] + 0.08])
    kept = {row["mask codec"]: row for row in codings.tables["magnitude kept"]}
    assert (kept["low rank"]["S = 0.9"], kept["codebook"]["S = 0.9"]) == ("0.930", "0.960")
    index = {row["mask codec"]: row for row in page.tables["index bits per weight"]}
    assert index["H(S)"]["S = 0.9"] == "0.469"
    assert index["bitmap"]["S = 0.98"] == "1.000"
    assert "magnitude kept" not in page.tables
    assert page.drawn("Masks, S = ") == []


def test_exact_codecs_of_approximate_masks_stand_in_where_there_is_no_exact_mask(tmp_path):
    points = sweep(tmp_path, rates=(0.9,), n_ins=(20,), fills=(0.9,), n_seeds=2, mask_codecs=("lowrank",))
    shown = report(tmp_path, points)
    codecs = {row["mask codec"] for row in shown.tables["index bits per weight"]}
    assert "5-bit gaps, of the low rank mask" in codecs


def test_layers_stand_together_and_apart(tmp_path):
    sizes = {"conv1": (500, 100, 0.8), "fc1": (400_000, 20_000, 0.3), "fc2": (5_000, 500, 0.5)}
    rows = [
        make_row(layer=layer, n_weights=n, n_kept=kept, code_bits=bits, bits_per_weight=bits + 0.3475)
        for layer, (n, kept, bits) in sizes.items()
    ]
    page = report(tmp_path, [make_point("a", rows)])
    lines = {row["layer"]: row for row in page.tables["best points by layer"]}
    assert set(lines) == {*sizes, "all"}
    assert lines["all"]["kept"] == "5.08%"
    assert lines["all"]["total"] == f"{sum(n * bits for n, _, bits in sizes.values()) / 405_500 + 0.3475:.3f}"
    assert ("select", {"id": "setting"}) in page.elements


def test_the_page_loads_nothing_and_everything_in_it_has_a_name(page):
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "srcset", "data", "poster", "background", "action"} & set(attributes)
        assert not re.match(r"(?i)\s*(https?:)?//", attributes.get("href") or "")
        if tag == "div" and "tabindex" in attributes:
            assert attributes["role"] == "region"
            assert attributes["aria-label"]
        assert tag != "th" or attributes.get("scope")
    assert any("default-src 'none'" in (a.get("content") or "") for tag, a in page.elements if tag == "meta")
    assert len(page.figures) == len([a for _, a in page.elements if a.get("class") == "plot"])


def test_an_unchanged_experiment_gives_the_same_page(whole):
    before = (whole / "report.html").read_bytes()
    assert build_report(whole).read_bytes() == before


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "0 of 2 points finished, none failed"),
        ([make_point("a", [make_row()])], "1 of 2 points finished, none failed"),
        ([make_failure("a", "one"), make_failure("b", "two")], "0 of 2 points finished, 2 failed"),
    ],
)
def test_an_experiment_of_any_state_is_a_page(tmp_path, points, said):
    page = report(tmp_path, points, planned=["a", "b"])
    assert said in page.text
    assert {"progress", "points"} <= set(page.sections)
    assert (page.figures != {}) == (len(points) == 1)


def failed(name: str, message: str, **values: Any) -> dict[str, Any]:
    config = make_config(code__n_in=values.pop("n_in", 20), code__n_out=None)
    return make_failure(name, message, seed=0, prune_rate=0.9, config=config, **values)


def test_equal_failures_are_one_with_their_stage_their_points_and_the_first_command(tmp_path):
    points = [failed(f"p{i}", "<b>odd</b>", command=f"run {i}.", n_in=10 + i) for i in range(WORDS + 3)]
    points.append(failed("alone", "full", command="run alone"))
    event = {"event": "failed", "stage": "quantize", "name": "q", "error": "<b>odd</b>"}
    (tmp_path / "stages.jsonl").write_text(json.dumps(event) + '\nnot JSON with "failed"\n')
    page = report(tmp_path, points)
    progress = page.text[page.text.index("Progress") : page.text.index("All points")]
    assert progress.count("<b>odd</b>") == 1
    assert f"{WORDS + 3} points failed in the stage quantize" in progress
    assert "(S 0.9, n_in 10, seed 0)" in progress
    assert f"n_in {10 + WORDS}," not in progress
    assert "and 3 more" in progress
    assert ("run 0." in progress, "run 1." in progress, "run alone" in progress) == (True, False, True)
    # A failed row says first that it failed, and what its settings say.
    assert page.data["listed"][:2] == ["status", "n_in"]
    assert page.values("n_in")[:2] == [10, 11]


def test_of_many_failures_some_are_shown(tmp_path):
    points = [make_failure(f"p{i}", f"message {i}.") for i in range(FAILURES + 3)]
    text = report(tmp_path, points).text
    assert f"message {FAILURES - 1}." in text
    assert "3 more failed points" in text


def test_no_text_can_end_its_script_or_begin_a_comment_in_it(tmp_path):
    """After "<!--<script" a browser would not take the closing tag of the page's own script as one."""
    for i, text in enumerate(("</script><b>", "<!--<script>")):
        metrics = write_metrics(tmp_path / str(i), "dense/0", 3, 0.9, 0.99, random.Random(0))
        curves = [{"stage": "dense", "title": text, "metrics": metrics}]
        page = report(tmp_path / str(i), [make_point("a", [make_row(command=text)], curves=curves)])
        assert page.values("command") == [text]
        assert html.escape(text, quote=False) in str(page.figures)
        assert not any(tag == "b" for tag, _ in page.elements)
        source = (tmp_path / str(i) / "reports" / "lenet_sweep" / "report.html").read_text(encoding="utf-8")
        embedded = re.findall('<script type="application/json">(.*)</script>', source)
        embedded += re.findall("<script>(const DATA = .*)</script>", source)
        assert len(embedded) == len(page.figures) + 1
        assert not any("<" in each for each in embedded)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"config": make_config(data__n_validation=1000)}, "1.5 of 1,000 validation images, 5 are needed"),
        ({"config": make_config(data__n_validation=5000)}, None),
        ({"dense_metric": 0.101, "test_metric": 0.098}, "10.10 % of the images"),
        ({"lossless": False}, "1 point decoded to other signs"),
    ],
)
def test_what_cannot_be_told_and_what_is_wrong_is_said_first(tmp_path, values, told):
    page = report(tmp_path, [make_row(**values)])
    opening = page.text[page.text.index("experiment lenet_sweep") : page.text.index("bits / weight")]
    assert ("Cannot" in opening or "defect" in opening) == (told is not None)
    assert told is None or told in opening


def test_the_sizes_of_splits_are_those_of_the_data(tmp_path):
    assert {name: spec.sizes["validation"] for name, spec in DATASETS.items()} == VALIDATION_IMAGES
    assert report(tmp_path / "a", [make_row()]).data["examples"] == {"validation": 5000, "test": 10_000}
    configs = [make_config(data__n_validation=n) for n in (1000, 1000, None)]
    rows = [make_row(config=config, n_out=300 + i) for i, config in enumerate(configs)]
    assert report(tmp_path / "b", rows[:2]).data["examples"]["validation"] == 1000
    assert report(tmp_path / "c", rows).data["examples"]["validation"] is None


def test_curves_that_are_gone_or_damaged_are_left_out(tmp_path):
    """In a directory that is named like a pattern."""
    runs = tmp_path / "a[1]?"
    names = [write_metrics(runs, f"dense/{i}", 3, 0.9, 0.99, random.Random(0)) for i in range(5)]
    damaged = ("", "not JSON\n", '{"epoch": 1, "validation_metric": 0.123}\n')
    for name, content in zip(names[1:4], damaged, strict=True):
        (runs / name).write_text(content)
    (runs / names[4]).unlink()
    curves = [{"stage": "dense", "title": f"seed {i}", "metrics": name} for i, name in enumerate(names)]
    page = report(runs, [make_point("a", [make_row()], curves=curves)])
    assert [set(traces(figure)) for figure in page.drawn("Training, ")] == [{"seed 0"}] * 2
    assert "Drawn: 1 of 4 training runs" in page.text
    assert "training" not in report(tmp_path, [make_point("a", [make_row()], curves=curves[4:])]).sections


def test_levels_of_pruning_have_colours_of_their_own_and_one_epoch_no_neighbours(tmp_path):
    curves = []
    for rate in (0.5, 0.8, 0.95):
        metrics = write_metrics(tmp_path, f"prune/{rate}", 1, 0.9, 0.99, random.Random(0))
        curves.append({"stage": "prune", "title": f"prune, S = {rate:g}, seed 0", "metrics": metrics})
    figure, _ = report(tmp_path, [make_point("a", [make_row()], curves=curves)]).drawn("Training, ")
    assert len({trace["line"]["color"] for trace in figure["data"]} - {NEUTRAL}) == 3
    assert figure["layout"]["xaxis"]["range"] == [0.5, 1.5]


def test_a_corrupt_point_leaves_the_last_report(tmp_path):
    report_dir = write_report(tmp_path, [make_point("a", [make_row()])])
    before = build_report(report_dir).read_bytes()
    (report_dir / "points" / "a.json").write_text("{")
    with pytest.raises(CollectError, match=r"a\.json is damaged"):
        build_report(report_dir)
    assert (report_dir / "report.html").read_bytes() == before


def test_of_many_prune_rates_and_settings_some_are_drawn_and_it_is_said(tmp_path):
    rates = [round(0.5 + i / 100, 2) for i in range(40)]
    page = report(tmp_path, [make_row(prune_rate=rate, n_out=n) for rate in rates for n in range(100, 140)])
    bars = page.drawn("Bits per weight, S = ")
    assert len(bars) == len(page.drawn("Other codecs on the same weights, ")) == PANELS
    assert {len(figure["data"][0]["x"]) for figure in bars} == {BARS}
    assert f"Drawn: {PANELS} of 40 prune rates." in page.text
    assert f"Drawn: {BARS} of 40 settings, the smallest." in page.text
    assert page.data["n"] == 1600
    assert ("input", "number") in {(tag, attributes.get("type")) for tag, attributes in page.elements}


def test_rows_that_hold_one_value_are_a_sentence_and_unknown_sizes_no_column(tmp_path):
    page = report(tmp_path, sweep(tmp_path, n_seeds=1))
    listed = page.data["listed"]
    assert {"bits_per_weight", "file_bits_per_parameter"} <= set(listed) < set(page.data["columns"])
    assert not {"layer", "status", "n_weights"} & set(listed)
    assert "layer fc1" in page.text
    assert "n_weights 400,000" in page.text
    assert page.data["names"] == {"mask_codec": {"ans": "ANS, one density"}}
    unknown = report(tmp_path / "a", [make_row(file_bits_per_parameter=None, file_bytes=None)])
    assert not {"bytes", "bits / parameter"} & set(unknown.tables["best points"][0])


def test_what_else_was_swept_has_a_column_and_a_filter(tmp_path):
    points = []
    for name, structure, strategy in (("a", 0.0, "continue"), ("b", 0.0, "rewind"), ("c", 1.0, "continue")):
        config = make_config(prune__structure=structure, prune__strategy=strategy)
        rows = [make_row(config=config), make_baseline("csr5", 0.3, 0.06, config=config)]
        points.append(make_point(name, rows))
    page = report(tmp_path, points)
    assert page.data["filters"]["prune.structure"] == "prune.structure"
    assert page.values("prune.structure") == [0, 0, 0, 0, 1, 1]
    assert page.values("prune.strategy")[::2] == ["continue", "rewind", "continue"]
    assert {"prune.structure", "prune.strategy"} <= set(page.data["of_coding"]) & set(page.data["listed"])
    boxes = {(a.get("name"), a.get("value")) for tag, a in page.elements if tag == "input"}
    assert {("prune.structure", "1"), ("prune.strategy", "rewind")} <= boxes
    plain = report(tmp_path / "plain", points[:1])
    assert not any("." in name for name in plain.data["filters"])


def test_points_of_a_search_are_told_from_those_of_a_sweep(tmp_path):
    rows = [[make_row(n_out=300 + i), make_baseline("csr5", 0.3, 0.06)] for i in range(3)]
    points = [make_point(name, own) for name, own in zip("abc", rows, strict=True)]
    mixed = report(tmp_path / "mixed", points, searched=["b", "c"])
    assert mixed.values("origin") == ["sweep", None, "search", "search"]
    assert "origin" not in report(tmp_path / "plain", points).data["filters"]


def test_signs_that_nobody_trained_have_no_accuracy(tmp_path):
    dense, csr = make_baseline("dense", 0.0, 1.0, test_metric=None), make_baseline("csr5", 0.3, 0.06)
    page = report(tmp_path, [make_point("a", [make_row(), dense, csr])])
    assert page.values("validation_metric") == [0.991, None, 0.991]
    assert page.values("dense_metric") == [0.992] * 3


def test_rules_of_layers_read_as_on_the_command_line(tmp_path):
    rules = [["*/shortcut", [["prune.rate", 0.5], ["code.n_in", 12]]]]
    configs = [make_config(per_layer=text) for text in ("[]", json.dumps(rules))]
    page = report(tmp_path, [make_row(config=config) for config in configs])
    assert "per_layer={*/shortcut:{prune.rate:0.5,code.n_in:12}}" in page.text
    assert "[[" not in page.text


def test_a_model_of_which_nothing_is_pruned_has_a_report(tmp_path):
    page = report(tmp_path, [make_row(prune_rate=0.0, n_kept=400_000, n_in=n_in) for n_in in (12, 20)])
    assert "masks" not in page.sections
