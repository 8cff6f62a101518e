import json
import os

import pytest
from synthetic import make_point, make_row, write_report

from xorjax.files import record_sha256
from xorjax.results import points
from xorjax.results.collect import CollectError, read_experiment
from xorjax.results.points import read_point
from xorjax.results.rows import COLUMNS


def test_a_checksum_that_is_there_must_match(tmp_path):
    path = tmp_path / "p0.json"
    record = make_point("p0", [make_row()])
    record["sha256"] = record_sha256(record)
    path.write_text(json.dumps(record, indent=1, sort_keys=True))
    assert read_point(path, "p0", "lenet_sweep").rows[0][COLUMNS.index("n_out")] == 320
    record["rows"][0]["bits_per_weight"] = 0.001
    path.write_text(json.dumps(record))
    with pytest.raises(CollectError, match=r"p0\.json is damaged"):
        read_point(path, "p0", "lenet_sweep")


def test_only_what_changed_is_read_again(tmp_path, monkeypatch):
    report_dir = write_report(tmp_path, [make_point(name, [make_row()]) for name in "abc"])
    read = []
    parse = points.read_object
    monkeypatch.setattr(
        points, "read_object", lambda path, *rest: read.append(path.stem) or parse(path, *rest)
    )
    read_experiment(report_dir)
    assert sorted(read) == ["a", "b", "c"]
    changed = report_dir / "points" / "b.json"
    changed.write_text(json.dumps(make_point("b", [make_row(n_out=99)])))
    assert read_experiment(report_dir).points[1].rows[0][COLUMNS.index("n_out")] == 99
    assert read[3:] == ["b"]


def test_a_file_of_the_same_length_is_read_again(tmp_path):
    path = tmp_path / "p0.json"
    for n_out in (111, 222):
        path.write_text(json.dumps(make_point("p0", [make_row(n_out=n_out)])))
        os.utime(path, ns=(n_out, n_out))
        assert read_point(path, "p0", "x").rows[0][COLUMNS.index("n_out")] == n_out
