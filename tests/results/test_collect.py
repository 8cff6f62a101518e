import json
import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from synthetic import (
    BASELINES,
    collect,
    make_baseline,
    make_failure,
    make_point,
    make_row,
    sweep,
    write_report,
)

from xorjax.results.collect import CollectError, read_experiment
from xorjax.results.rows import SCHEMA


def test_rows_stand_in_the_order_of_the_plan(tmp_path):
    points = [make_point(name, [make_row(seed=seed)]) for seed, name in enumerate(["b", "a", "c"])]
    table = collect(write_report(tmp_path, points, planned=["c", "a", "b"]))
    assert table.columns == list(SCHEMA)
    assert table["point"].to_list() == ["c", "a", "b"]
    assert table["seed"].to_list() == [2, 1, 0]


def test_points_outside_the_plan_are_not_read(tmp_path):
    points = [make_point("a", [make_row()]), make_point("old", [make_row()])]
    report_dir = write_report(tmp_path, points, planned=["a", "b"])
    experiment = read_experiment(report_dir)
    assert [point.name for point in experiment.points] == ["a"]
    assert experiment.unfinished == ("b",)
    assert collect(report_dir)["point"].to_list() == ["a"]


def test_the_baselines_of_one_quantized_model_are_kept_once(tmp_path):
    report_dir = write_report(tmp_path, sweep(tmp_path, layers=("fc1", "fc2"), n_seeds=2))
    table = collect(report_dir)
    codes = table.filter(~pl.col("baseline"))
    baselines = table.filter("baseline")
    assert codes.height == 2 * 18 * 2
    assert baselines.height == 2 * 3 * len(BASELINES) * 2
    key = ["seed", "prune_rate", "code", "mask_codec", "layer"]
    assert baselines.select(key).is_unique().all()
    assert baselines["point"].n_unique() == 2 * 3


def test_baselines_of_different_quantized_models_are_all_kept(tmp_path):
    rows = [make_baseline("csr5", 0.3, 0.06), make_baseline("csr5", 0.3, 0.06, quantized="another")]
    points = [make_point(f"p{i}", [make_row(), row]) for i, row in enumerate(rows)]
    assert collect(write_report(tmp_path, points))["code"].to_list() == ["xor", "signs"] * 2


def test_a_repeated_collection_writes_the_same_bytes(tmp_path):
    points = sweep(tmp_path, n_seeds=1)
    first = write_report(tmp_path / "first", points)
    random.Random(1).shuffle(shuffled := list(points))
    second = write_report(tmp_path / "second", shuffled, planned=[point["point"] for point in points])
    for report_dir in (first, first, second):
        collect(report_dir)
    for name in ("results.parquet", "results.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_files_hold_the_table_and_nothing_temporary_remains(tmp_path):
    report_dir = write_report(tmp_path, [*sweep(tmp_path, n_seeds=1), make_failure("bad", 'a, "b"\nc')])
    table = collect(report_dir)
    assert_frame_equal(pl.read_parquet(report_dir / "results.parquet"), table)
    # There a config is a JSON text.
    written = pl.read_csv(report_dir / "results.csv", schema=SCHEMA | {"config": pl.String()})
    assert_frame_equal(written.drop("config"), table.drop("config"))
    assert [json.loads(text or "null") for text in written["config"]] == table["config"].to_list()
    names = {"plan.json", "points", "results.csv", "results.parquet"}
    assert {path.name for path in report_dir.iterdir()} == names


def test_a_failed_point_has_a_row_with_its_message(tmp_path):
    without_rows = make_failure("p1", "out of memory") | {"rows": []}
    table = collect(write_report(tmp_path, [make_failure("p0", "broken"), without_rows]))
    assert table["status"].to_list() == ["failed", "failed"]
    assert table["error"].to_list() == ["broken", "out of memory"]
    assert table["experiment"].to_list() == ["lenet_sweep", "lenet_sweep"]
    assert table["bits_per_weight"].to_list() == [None, None]


def test_nothing_finished_is_an_empty_table(tmp_path):
    table = collect(write_report(tmp_path, [], planned=["a"]))
    assert table.is_empty()
    assert table.columns == list(SCHEMA)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"point": "p0", "status"', "p0.json is damaged: Expecting"),
        ("[]", "p0.json is damaged: it holds a list"),
        ('{"point": "p0"}', "p0.json lacks the key 'status'"),
        (json.dumps(make_point("p1", [make_row()])), "p0.json holds the point 'p1'"),
        (json.dumps(make_point("p0", [make_row()], status="done")), "p0.json has the status 'done'"),
        (json.dumps(make_point("p0", [])), "p0.json has the status 'ok' and no rows"),
        (json.dumps(make_point("p0", [make_row(speed=1)])), "p0.json: .*unknown column 'speed'"),
    ],
)
def test_a_corrupt_point_file_is_named(tmp_path, content, message):
    report_dir = write_report(tmp_path, [], planned=["p0"])
    (report_dir / "points" / "p0.json").write_text(content)
    with pytest.raises(CollectError, match=message):
        collect(report_dir)
    assert not (report_dir / "results.csv").exists()


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(CollectError, match=r"plan\.json is missing"):
        collect(tmp_path)
    (tmp_path / "page.html").touch()
    for name in ("page.html", "no"):
        with pytest.raises(CollectError, match=f"{name}: expected the directory of a report"):
            collect(tmp_path / name)
