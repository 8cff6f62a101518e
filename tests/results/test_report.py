import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_failure, make_point, make_row, sweep, write_metrics, write_report

from xorjax.results.collect import CollectError, collect
from xorjax.results.report import build_report
from xorjax.results.tables import summarise


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
        "progress summary bits accuracy patches baselines training glossary settings rows"
    )
    assert len(page.figures) == 3 + 1 + 3 + 3 + 6
    assert "54 of 54 points finished, none failed." in page.text
    assert "XOR-coded weights of LeNet-5 on MNIST" in page.text


def test_the_page_holds_the_numbers_of_the_table(whole):
    table = collect(whole)
    page = Page(whole / "report.html")
    for best in summarise(table):
        assert f"{best.n_in} → {best.n_out}" in page.text
        assert f"{100 * best.test_accuracy:.2f} ± {100 * best.test_accuracy_spread:.2f}" in page.text
        sizes = (best.code_bits, best.patch_bits, best.index_bits, best.scale_bits, best.bits_per_weight)
        for size in (*sizes, *best.sizes.values()):
            assert f"{size:.3f}" in page.text
    rows = json.loads(page.scripts[1].removeprefix("const ROWS = ").removesuffix(";"))
    assert len(rows["rows"]) == table.height
    bits = [row[rows["columns"].index("bits_per_weight")] for row in rows["rows"]]
    assert bits == pytest.approx(table["bits_per_weight"].to_list(), abs=5e-5)


def test_the_bars_are_the_streams_and_the_line_is_the_bound(whole):
    figures = Page(whole / "report.html").figures
    for figure, bound in zip(figures[:3], (0.1, 0.05, 0.02), strict=True):
        assert [bar["name"] for bar in figure["data"]] == ["code", "patch", "index", "scale"]
        assert all(len(bar["y"]) == 6 for bar in figure["data"])
        assert figure["layout"]["shapes"][0]["y0"] == pytest.approx(bound)


def test_every_seed_is_a_dot(whole):
    accuracy = Page(whole / "report.html").figures[3]
    dots = next(trace for trace in accuracy["data"] if trace["name"] == "one seed")
    assert dots["x"] == ["dense"] * 3 + ["0.9"] * 3 + ["0.95"] * 3 + ["0.98"] * 3
    assert dots["customdata"] == [0, 1, 2] * 4


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
    assert len(page.figures) == 1 + 1 + 1 + 1 + 6


def test_nothing_finished_is_a_page_too(tmp_path):
    page = Page(build_report(write_report(tmp_path, [], planned=["a", "b"])))
    assert "0 of 2 points finished" in page.text
    assert page.sections == ["progress", "rows"]
    assert page.figures == []


def test_failures_show_message_and_command(tmp_path):
    message = "ValueError: xor.n_in = 99 <script>alert(1)</script> & more"
    points = [make_point("a", [make_row()]), make_failure("b", message)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert "2 of 2 points finished, 1 failed." in page.text
    assert message in page.text
    assert "python scripts/train.py +experiment=lenet_sweep seed=9" in page.text
    assert not any("alert" in script for script in page.scripts[:1])


def test_a_sweep_of_failures_is_a_page_too(tmp_path):
    page = Page(build_report(write_report(tmp_path, [make_failure("a", "one"), make_failure("b", "two")])))
    assert "2 of 2 points finished, 2 failed." in page.text
    assert "one" in page.text
    assert "two" in page.text
    assert page.figures == []


def test_no_text_can_end_its_script(tmp_path):
    metrics = write_metrics(tmp_path, "dense/0", 3, 0.9, 0.99, random.Random(0))
    curve = {"stage": "dense", "title": "</script><b>", "metrics": metrics}
    points = [make_point("a", [make_row(command="</script><b>")], curves=[curve])]
    page = Page(build_report(write_report(tmp_path, points)))
    assert len(page.scripts) == 3
    assert not any(tag == "b" for tag, _ in page.elements)


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
    assert len(page.figures) == 3 + 1 + 3 + 3 + 6


def test_a_curve_whose_metrics_are_gone_is_left_out(tmp_path):
    curve = {"stage": "dense", "title": "seed 0", "metrics": "dense/gone/metrics.jsonl"}
    page = Page(build_report(write_report(tmp_path, [make_point("a", [make_row()], curves=[curve])])))
    assert "training" not in page.sections
    assert "bits" in page.sections


def test_a_corrupt_point_leaves_the_last_report(tmp_path):
    report_dir = write_report(tmp_path, [make_point("a", [make_row()])])
    before = build_report(report_dir).read_bytes()
    (report_dir / "points" / "a.json").write_text("{")
    with pytest.raises(CollectError, match=r"a\.json is not JSON"):
        build_report(report_dir)
    assert (report_dir / "report.html").read_bytes() == before
