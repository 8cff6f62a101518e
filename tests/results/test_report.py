import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
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

from xorjax.results.caps import BARS, PANELS
from xorjax.results.collect import CollectError
from xorjax.results.progress_section import FAILURES
from xorjax.results.report import build_report
from xorjax.results.tables import summarise

BASELINE = [make_baseline("csr5", 0.3, 0.06)]


class Page(HTMLParser):
    """Text, elements and embedded figures of a report."""

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = [("", {})]
        self.text = ""
        self.scripts: list[str] = []
        self.figures: list[dict[str, Any]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        tag, attributes = self.elements[-1]
        if self.cdata_elem is None:
            self.text += data
        elif tag == "script" and attributes.get("type") == "application/json":
            self.figures.append(json.loads(data))
        elif tag == "script":
            self.scripts.append(data)

    @property
    def data(self) -> dict[str, Any]:
        """What explore.js reads."""
        script = next(script for script in self.scripts if script.startswith("const DATA = "))
        return json.loads(script.removeprefix("const DATA = ").removesuffix(";"))

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.elements if tag == "section"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(runs) -> Path:
    """The report directory of a finished sweep of 54 points."""
    report_dir = write_report(runs, sweep(runs))
    assert build_report(report_dir) == report_dir / "report.html"
    return report_dir


def test_a_whole_sweep_has_every_section_and_figure(whole):
    page = Page(whole / "report.html")
    assert " ".join(str(name) for name in page.sections) == (
        "summary points bits accuracy masks patches baselines training settings glossary"
    )
    assert len(page.figures) == 3 + 2 + 1 + 3 + 3 + 6
    assert "54 of 54 points finished, none failed" in page.text
    assert "XOR-coded weights of LeNet-5 on MNIST" in page.text
    assert " % of 10,000 images against " in page.text


def test_the_page_holds_the_numbers_of_the_table(whole):
    table = collect(whole)
    page = Page(whole / "report.html")
    for best in summarise(table):
        assert f"{best.n_in} → {best.n_out}" in page.text
        assert f"{100 * best.test_metric:.2f} ± {100 * best.test_metric_spread:.2f}" in page.text
        sizes = (best.code_bits, best.patch_bits, best.index_bits, best.scale_bits, best.bits_per_weight)
        for size in (*sizes, *best.sizes.values()):
            assert f"{size:.3f}" in page.text
    assert page.data["n"] == table.height
    bits = page.data["columns"]["bits_per_weight"]["values"]
    assert bits == pytest.approx(table["bits_per_weight"].to_list(), abs=5e-5)


def test_the_bars_are_the_streams_and_the_line_is_the_bound(whole):
    figures = Page(whole / "report.html").figures
    for figure, bound in zip(figures[:3], (0.1, 0.05, 0.02), strict=True):
        assert [bar["name"] for bar in figure["data"]] == ["code", "patch", "index", "scale"]
        assert all(len(bar["y"]) == 6 for bar in figure["data"])
        assert figure["layout"]["shapes"][0]["y0"] == pytest.approx(bound)


def test_every_seed_is_a_dot(whole):
    for accuracy in Page(whole / "report.html").figures[3:5]:
        dots = next(trace for trace in accuracy["data"] if trace["name"] == "one seed")
        assert dots["text"] == ["dense"] * 3 + ["0.9"] * 3 + ["0.95"] * 3 + ["0.98"] * 3
        assert dots["customdata"] == [0, 1, 2] * 4
        # Each at its own place, the same beside every label, so that no seed hides another.
        assert [x - round(x) for x in dots["x"]] == pytest.approx([-0.11, 0, 0.11] * 4)
        assert [round(x) for x in dots["x"]] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
        assert accuracy["layout"]["xaxis"]["ticktext"][:2] == ["dense<br>n = 3", "0.9<br>n = 3"]


def test_the_tolerance_is_drawn_where_it_decides(whole):
    table = collect(whole)
    validation, test = Page(whole / "report.html").figures[3:5]
    assert validation["layout"]["yaxis"]["title"]["text"] == "validation accuracy (%)"
    # A line of the references at each prune rate, and one of what may be lost.
    shapes = validation["layout"]["shapes"]
    levels = [shape["y0"] for shape in shapes]
    reference = 100 * table.unique("seed")["reference_validation_metric"].mean()
    assert levels == pytest.approx(3 * [reference, reference - 0.15])
    assert [shape["x0"] for shape in shapes] == pytest.approx([0.55, 0.55, 1.55, 1.55, 2.55, 2.55])
    assert test["layout"]["yaxis"]["title"]["text"] == "test accuracy (%)"
    assert len(test["layout"]["shapes"]) == 3


@pytest.fixture(scope="module")
def codings(tmp_path_factory) -> Page:
    """The report of two methods and four mask codecs at one XOR shape."""
    runs = tmp_path_factory.mktemp("codings")
    codecs = ("ans", "ans_rc", "lowrank", "codebook")
    points = sweep(runs, n_ins=(20,), fills=(0.9,), methods=("minimum", "greedy"), mask_codecs=codecs)
    points[5]["rows"][0]["n_bounded"] = 17
    return Page(build_report(write_report(runs, points)))


def test_bars_of_one_shape_are_named_by_what_differs(codings):
    for figure in codings.figures[:3]:
        assert figure["data"][0]["y"][-1] == "minimum, low rank"
        assert set(figure["data"][0]["y"]) == {
            f"{method}, {codec}"
            for method in ("minimum", "greedy")
            for codec in ("ANS, one density", "ANS, row x column", "low rank", "codebook")
        }
        assert [bar["name"] for bar in figure["data"]] == ["code", "patch", "index", "scale"]


def test_every_model_has_its_dots(codings):
    dots = next(trace for trace in codings.figures[3]["data"] if trace["name"] == "one seed")
    labels = [f"{rate}, {mask}" for rate in (0.9, 0.95, 0.98) for mask in ("exact", "codebook", "low rank")]
    assert list(dict.fromkeys(dots["text"])) == ["dense", *labels]
    assert len(dots["x"]) == 3 * 10


def test_masks_are_marked_by_index_bits_accuracy_and_magnitude(codings):
    accuracy, kept = codings.figures[5:8], codings.figures[8:11]
    for figure in (*accuracy, *kept):
        marks = {trace["name"]: trace for trace in figure["data"]}
        assert set(marks) == {"H(S)", "bitmap", "ans", "ans_rc", "csr5", "golomb", "lowrank", "codebook"}
        assert all(len(trace["x"]) == 1 for name, trace in marks.items() if name != "H(S)")
        assert marks["lowrank"]["x"][0] < marks["codebook"]["x"][0] < marks["H(S)"]["x"][0]
        assert marks["bitmap"]["x"] == [1.0]
    assert accuracy[0]["data"][0]["x"][0] == pytest.approx(0.4690, abs=1e-4)
    for figure in kept:
        marks = {trace["name"]: trace["y"][0] for trace in figure["data"]}
        assert (marks["lowrank"], marks["codebook"], marks["csr5"]) == pytest.approx((0.93, 0.96, 1))
    for figure in accuracy:
        marks = {trace["name"]: trace for trace in figure["data"]}
        assert marks["ans"]["y"] == marks["csr5"]["y"] == pytest.approx([marks["lowrank"]["y"][0] + 0.08])
        assert marks["ans"]["error_y"]["array"][0] > 0
    assert (
        "At S =" not in codings.text.split("The index axis is logarithmic")[1].split("Patches per slice")[0]
    )


def test_exact_codecs_of_approximate_masks_are_shown_only_where_there_is_no_exact_mask(tmp_path):
    points = sweep(tmp_path, rates=(0.9,), n_ins=(20,), fills=(0.9,), n_seeds=2, mask_codecs=("lowrank",))
    page = Page(build_report(write_report(tmp_path, points)))
    marks = {trace["name"]: trace for trace in page.figures[3]["data"]}
    assert marks["csr5"]["customdata"] == [", of the low rank mask"]
    assert marks["lowrank"]["customdata"] == [""]
    assert "At S = 0.9 no network has an exact mask" in page.text


def test_the_methods_have_lines_of_their_own(codings):
    for figure in codings.figures[11:14]:
        dashes = {trace["name"]: trace["line"]["dash"] for trace in figure["data"]}
        assert dashes["n_in 20, minimum, exact"] == "solid"
        assert dashes["n_in 20, greedy, low rank"] == "dash"
        assert len(dashes) == 6


def test_codings_and_bounded_slices_are_said(codings):
    assert "3 seeds, 2 methods, 4 mask codecs." in codings.text
    assert "bounded in 17 slices" in codings.text
    assert "17 in 0005-s0-r0.9-i20-o180" in codings.text


def test_the_page_loads_nothing(whole):
    page = Page(whole / "report.html")
    loading = {"src", "srcset", "data", "poster", "background", "action"}
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not loading & set(attributes), (tag, attributes)
        assert not re.match(r"(?i)\s*(https?:)?//", attributes.get("href") or "")
    policies = [a["content"] for tag, a in page.elements if tag == "meta" and "content" in a]
    assert any("default-src 'none'" in (policy or "") for policy in policies)


def test_plotly_is_imported_only_to_draw():
    code = "import sys, xorjax.results.report as r; print('plotly' in sys.modules, r.build_report.__name__)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.split() == ["False", "build_report"]


def test_an_unchanged_experiment_gives_the_same_page(whole):
    before = (whole / "report.html").read_bytes()
    build_report(whole)
    assert (whole / "report.html").read_bytes() == before


def test_one_point_of_many_is_provisional(tmp_path):
    points = sweep(tmp_path)
    report_dir = write_report(tmp_path, points[:1], planned=[point["point"] for point in points])
    page = Page(build_report(report_dir))
    assert "1 of 54 points finished, none failed." in page.text
    assert "provisional" in page.text
    assert "1 seed." in page.text
    assert len(page.figures) == 1 + 2 + 1 + 1 + 1 + 6


def test_nothing_finished_is_a_page_too(tmp_path):
    page = Page(build_report(write_report(tmp_path, [], planned=["a", "b"])))
    assert "0 of 2 points finished" in page.text
    assert page.sections == ["progress", "points"]
    assert page.figures == []


def test_failures_show_message_and_command(tmp_path):
    message = "ValueError: xor.n_in = 99 <script>alert(1)</script> & more"
    points = [make_point("a", [make_row()]), make_failure("b", message)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert "1 of 2 points finished, 1 failed." in page.text
    assert message in page.text
    assert "python scripts/train.py +experiment=lenet_sweep seed=9" in page.text
    assert not any("alert" in script for script in page.scripts[:1])


def test_a_sweep_of_failures_is_a_page_too(tmp_path):
    page = Page(build_report(write_report(tmp_path, [make_failure("a", "one"), make_failure("b", "two")])))
    assert "0 of 2 points finished, 2 failed." in page.text
    assert "one" in page.text
    assert "two" in page.text
    assert page.figures == []


def test_no_text_can_end_its_script(tmp_path):
    metrics = write_metrics(tmp_path, "dense/0", 3, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "</script><b>", "metrics": metrics}
    points = [make_point("a", [make_row(command="</script><b>")], curves=[curve])]
    page = Page(build_report(write_report(tmp_path, points)))
    assert len(page.scripts) == 9
    assert not any(tag == "b" for tag, _ in page.elements)


def test_no_text_can_begin_a_comment_in_its_script(tmp_path):
    """After "<!--<script" a browser would not take the closing tag of the page's own script as one."""
    metrics = write_metrics(tmp_path, "dense/0", 3, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "<!--<script>", "metrics": metrics}
    points = [make_point("a", [make_row(command="<!--<script>")], curves=[curve])]
    path = build_report(write_report(tmp_path, points))
    text = path.read_text(encoding="utf-8")
    figures = re.findall('<script type="application/json">(.*)</script>', text)
    (data,) = re.findall("<script>(const DATA = .*)</script>", text)
    assert len(figures) == 8
    assert not [json for json in (*figures, data) if "<" in json]
    assert Page(path).data["columns"]["command"]["words"] == ["<!-", "-", "<script>"]
    assert "<!--<script>" in str(Page(path).figures)


def test_a_defect_of_decoding_is_said(tmp_path):
    points = [make_point("a", [make_row()]), make_point("b", [make_row(lossless=False, n_out=200)])]
    page = Page(build_report(write_report(tmp_path, points)))
    assert "1 point decoded to other signs" in page.text
    assert "Every decoded care bit equals" not in page.text


def test_several_layers_are_shown_together_and_apart(tmp_path):
    points = sweep(tmp_path, layers=("fc1", "fc2"), n_ins=(20,), n_seeds=1)
    page = Page(build_report(write_report(tmp_path, points)))
    assert "Most weights of fc1, fc2 were pruned" in page.text
    assert "By layer" in page.text
    assert len(page.figures) == 3 + 2 + 1 + 3 + 3 + 6
    assert ("select", {"id": "setting"}) in page.elements


def test_the_layers_of_the_best_points_add_up_to_the_whole(tmp_path):
    sizes = {"conv1": (500, 100, 0.8), "fc1": (400_000, 20_000, 0.3), "fc2": (5_000, 500, 0.5)}
    rows = [
        make_row(
            layer=layer, n_weights=n_weights, n_kept=n_kept, code_bits=bits, bits_per_weight=bits + 0.3475
        )
        for layer, (n_weights, n_kept, bits) in sizes.items()
    ]
    text = Page(build_report(write_report(tmp_path, [make_point("a", rows)]))).text
    by_layer = text[text.index("By layer") :]
    assert "5.08%" in by_layer
    total = sum(n_weights * bits for n_weights, _, bits in sizes.values()) / 405_500
    assert f"{total + 0.3475:.3f}" in by_layer


def test_a_curve_whose_metrics_are_gone_is_left_out(tmp_path):
    curve = {"stage": "dense", "title": "seed 0", "metrics": "dense/gone/metrics.jsonl"}
    page = Page(build_report(write_report(tmp_path, [make_point("a", [make_row()], curves=[curve])])))
    assert "training" not in page.sections
    assert "bits" in page.sections


@pytest.mark.parametrize("content", ["", "not JSON\n", '{"epoch": 1, "validation_metric": 0.123}\n'])
def test_a_curve_whose_metrics_are_damaged_is_left_out(tmp_path, content):
    names = [write_metrics(tmp_path, f"dense/{i}", 3, 0.9, 0.99, random.Random(0)) for i in range(2)]
    (tmp_path / names[1]).write_text(content)
    curves = [{"stage": "dense", "title": f"seed {i}", "metrics": name} for i, name in enumerate(names)]
    page = Page(build_report(write_report(tmp_path, [make_point("a", [make_row()], curves=curves)])))
    assert "training" in page.sections
    assert "Drawn: 1 of 2 training runs" in page.text


def test_a_directory_named_like_a_pattern_has_its_own_curves(tmp_path):
    runs = tmp_path / "a[1]?"
    for place in (runs, tmp_path / "a1b"):
        metrics = write_metrics(place, "dense/0", 3, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "seed 0", "metrics": metrics}
    page = Page(build_report(write_report(runs, [make_point("a", [make_row()], curves=[curve])])))
    assert "training" in page.sections


def test_a_corrupt_point_leaves_the_last_report(tmp_path):
    report_dir = write_report(tmp_path, [make_point("a", [make_row()])])
    before = build_report(report_dir).read_bytes()
    (report_dir / "points" / "a.json").write_text("{")
    with pytest.raises(CollectError, match=r"a\.json is damaged"):
        build_report(report_dir)
    assert (report_dir / "report.html").read_bytes() == before


def test_of_many_prune_rates_and_settings_some_are_drawn_and_it_is_said(tmp_path):
    rates = [round(0.5 + i / 100, 2) for i in range(40)]
    rows = [make_row(prune_rate=rate, n_out=n_out) for rate in rates for n_out in range(100, 140)]
    points = [make_point(f"p{i}", [row]) for i, row in enumerate(rows)]
    page = Page(build_report(write_report(tmp_path, points)))
    bars = [figure for figure in page.figures if figure["data"][0].get("type") == "bar"]
    assert len(bars) == 2 * PANELS
    assert {len(figure["data"][0]["x"][0]) for figure in bars[:PANELS]} == {BARS}
    assert f"Drawn: {PANELS} of 40 prune rates." in page.text
    assert f"Drawn: {BARS} of 40 settings, the smallest." in page.text
    assert page.data["n"] == 1600
    assert ("input", "number") in {(tag, attributes.get("type")) for tag, attributes in page.elements}


def test_everything_that_can_be_used_has_a_name(whole):
    page = Page(whole / "report.html")
    regions = [a for tag, a in page.elements if tag == "div" and "tabindex" in a]
    assert len(regions) >= 6
    assert all(a["role"] == "region" and a["aria-label"] for a in regions)
    assert all(a.get("scope") for tag, a in page.elements if tag == "th")
    assert ("a", {"class": "skip", "href": "#main"}) in page.elements


def test_points_of_a_search_are_told_from_those_of_a_sweep(tmp_path):
    points = [make_point(name, [make_row(n_out=300 + i), *BASELINE]) for i, name in enumerate("abc")]
    mixed = Page(build_report(write_report(tmp_path / "mixed", points, searched=["b", "c"])))
    assert mixed.data["filters"]["origin"] == "origin"
    origin = mixed.data["columns"]["origin"]
    words = ["".join(origin["words"][i] for i in text) for text in origin["texts"]]
    assert [None if i < 0 else words[i] for i in origin["index"]] == ["sweep", None, "search", "search"]
    boxes = [a["value"] for tag, a in mixed.elements if tag == "input" and a.get("name") == "origin"]
    assert boxes == ["search", "sweep"]
    plain = Page(build_report(write_report(tmp_path / "plain", points)))
    assert "origin" not in plain.data["filters"]
    assert "origin" not in plain.data["columns"]


def test_a_larger_n_out_is_spoken_of_where_there_is_one(whole, tmp_path):
    assert "A larger n_out needs fewer code bits" in Page(whole / "report.html").text
    rows = [make_row(n_in=n_in, n_out=16 * n_in) for n_in in (12, 20)]
    points = [make_point(f"p{i}", [row]) for i, row in enumerate(rows)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert "A bar is one XOR shape" in page.text
    assert "A larger n_out" not in page.text


def test_networks_that_learned_nothing_are_said(tmp_path):
    chance = {"dense_metric": 0.101, "dense_validation_metric": 0.099, "test_metric": 0.098}
    page = Page(build_report(write_report(tmp_path / "a", [make_point("a", [make_row(**chance)])])))
    assert "The dense network itself is right in 10.10 % of the images only" in page.text
    lost = {"validation_metric": 0.6, "dense_validation_metric": 0.98, "dense_metric": 0.97}
    page = Page(build_report(write_report(tmp_path / "b", [make_point("a", [make_row(**lost)])])))
    assert (
        "At S = 0.95 the validation accuracy is 60.00 % against 98.00 %, the test accuracy is 99.15 %"
        in page.text
    )
    assert "The dense network itself" not in page.text


def test_rules_of_layers_read_as_on_the_command_line(tmp_path):
    rules = [["*/shortcut", [["prune.rate", 0.5], ["code.n_in", 12]]]]
    rows = [make_row(config=make_config(per_layer=text)) for text in ("[]", json.dumps(rules))]
    points = [make_point(f"p{i}", [row]) for i, row in enumerate(rows)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert "per_layer={*/shortcut:{prune.rate:0.5,code.n_in:12}}" in page.text
    assert "[[" not in page.text


def test_one_epoch_has_no_neighbours_on_the_axis(tmp_path):
    metrics = write_metrics(tmp_path, "dense/0", 1, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "dense, seed 0", "metrics": metrics}
    page = Page(build_report(write_report(tmp_path, [make_point("a", [make_row()], curves=[curve])])))
    axes = [f["layout"]["xaxis"] for f in page.figures if f["layout"]["xaxis"]["title"]["text"] == "epoch"]
    assert [axis["range"] for axis in axes] == [[0.5, 1.5]] * 2


def test_a_failure_among_many_is_found(tmp_path):
    points = [make_failure(f"p{i}", f"message {i}.") for i in range(FAILURES + 3)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert f"message {FAILURES - 1}." in page.text
    assert "3 more failed points in the table" in page.text
