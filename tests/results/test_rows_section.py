"""The report's table of all rows and its filters."""

from synthetic import make_baseline, make_config, make_point, make_row, sweep, write_report
from test_report import Page

from xorjax.results.report import build_report


def texts(column: dict) -> list[str | None]:
    whole = ["".join(column["words"][i] for i in text) for text in column["texts"]]
    return [None if i < 0 else whole[i] for i in column["index"]]


def test_signs_that_nobody_trained_have_no_accuracy(tmp_path):
    dense = make_baseline("dense", 0.0, 1.0, test_metric=None)
    csr = make_baseline("csr5", 0.3, 0.06)
    report_dir = write_report(tmp_path, [make_point("a", [make_row(), dense, csr])])
    columns = Page(build_report(report_dir)).data["columns"]
    assert columns["validation_metric"]["values"] == [0.991, None, 0.991]
    assert columns["pruned_metric"]["values"] == [0.9918, None, 0.9918]
    assert columns["dense_metric"]["values"] == [0.992] * 3
    assert "0.991" in (report_dir / "results.csv").read_text().splitlines()[2]


def test_the_whole_file_is_a_column_and_constant_columns_are_a_sentence(tmp_path):
    page = Page(build_report(write_report(tmp_path, sweep(tmp_path, n_seeds=1))))
    listed = page.data["listed"]
    assert {"bits_per_weight", "file_bits_per_parameter"} <= set(listed)
    assert not {"layer", "status", "n_weights"} & set(listed)
    assert "no column: layer fc1; matrix_bits 0; scale_bits 0.04;" in page.text
    assert "n_weights 400,000" in page.text
    assert set(listed) < set(page.data["columns"])


def test_what_else_was_swept_has_a_column_and_a_filter(tmp_path):
    points = []
    for name, structure, xor_seed in (("a", 0.0, 1), ("b", 0.0, 2), ("c", 1.0, 1)):
        config = make_config(prune__structure=structure, code__seed=xor_seed)
        rows = [make_row(config=config), make_baseline("csr5", 0.3, 0.06, config=config)]
        points.append(make_point(name, rows))
    page = Page(build_report(write_report(tmp_path, points)))
    assert page.data["filters"]["prune.structure"] == "prune.structure"
    assert page.data["columns"]["prune.structure"]["values"] == [0, 0, 0, 1, 1]
    # One network, coded twice: its other codecs belong to both codings.
    assert page.data["columns"]["code.seed"]["values"] == [1, None, 2, 1, 1]
    assert {"prune.structure", "code.seed"} <= set(page.data["of_coding"]) & set(page.data["listed"])
    boxes = [
        (a["name"], a["value"]) for tag, a in page.elements if tag == "input" and "." in (a.get("name") or "")
    ]
    assert boxes == [
        ("code.seed", "1"),
        ("code.seed", "2"),
        ("prune.structure", "0"),
        ("prune.structure", "1"),
    ]
    plain = Page(build_report(write_report(tmp_path / "plain", points[:1])))
    assert not any("." in name for name in plain.data["filters"])


def test_texts_that_were_swept_are_a_filter_too(tmp_path):
    points = [
        make_point(name, [make_row(config=make_config(prune__strategy=strategy))])
        for name, strategy in (("a", "continue"), ("b", "rewind"))
    ]
    page = Page(build_report(write_report(tmp_path, points)))
    assert texts(page.data["columns"]["prune.strategy"]) == ["continue", "rewind"]
