import hashlib
import json
import re
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from by_hand import compressed
from polars.testing import assert_frame_equal
from tiny_sweep import points, run_sweep, tiny

from xorjax import load, paths
from xorjax.artifacts import artifact
from xorjax.artifacts.artifact import find, save_arrays
from xorjax.codec import CODES
from xorjax.codec.signs import SignsCode
from xorjax.codec.xor import XorCode
from xorjax.config.schema import Config, MaskConfig, ScheduleConfig
from xorjax.files import read_record, sha256, write_record
from xorjax.models.compressed import coded_model
from xorjax.pipeline import evaluate, point
from xorjax.pipeline.lossless import LosslessError
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.reports import Reports
from xorjax.pipeline.training import dataset
from xorjax.train.predict import predict

LAST = ScheduleConfig(last=0.5, levels=1)
TIMES = ("wall_seconds", "finished_at")


def table(runs, experiment="tiny") -> pl.DataFrame:
    return pl.read_parquet(paths.report_dir(runs, experiment) / "results.parquet")


def stage_events(runs) -> Counter:
    lines = paths.stage_log(runs).read_text().splitlines()
    return Counter((record["stage"], record["event"]) for record in map(json.loads, lines))


def test_stages_are_shared(swept):
    """One dense model, one trajectory of three levels (.5, .8, .9), a quantized model a rate."""
    made = {stage: n for (stage, event), n in stage_events(swept).items() if event == "made"}
    trained = {"dense": 1, "unpruned": 3, "reference": 2, "prune": 3, "quantize": 2}
    assert made == trained | {"baselines": 2, "encode": 4, "evaluate": 4}


def test_a_run_directory_that_has_no_references_gets_them_and_nothing_else(swept, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(swept, runs)
    shutil.rmtree(runs / "unpruned")
    shutil.rmtree(runs / "reference")
    for file in (runs / "reports" / "tiny" / "points").glob("*.json"):
        record = read_record(file)
        for row in record["rows"]:
            for column in [name for name in row if name.startswith("reference_") or name.endswith("epochs")]:
                del row[column]
        write_record(file, record)
    before = stage_events(runs)
    run_sweep(points(tmp_path))
    new = {stage: n for (stage, event), n in (stage_events(runs) - before).items() if event == "made"}
    assert new == {"unpruned": 3, "reference": 2}
    columns = [*TIMES, "config"]
    assert_frame_equal(table(runs).drop(columns), table(swept).drop(columns))


def test_a_reference_is_trained_on_with_all_its_weights_and_the_same_frozen_layers(swept, tmp_path):
    own = table(swept).filter(~pl.col("baseline"), pl.col("n_in") == 12)
    assert own.select("prune_rate", "dense_epochs", "epochs").rows() == [(0.8, 2, 5), (0.9, 2, 6)]
    for row, config in zip(own.iter_rows(named=True), points(tmp_path)[::2], strict=True):
        plan = make_plan(config)
        dense, reference = (find(swept, stage) for stage in (plan.dense, plan.reference))
        assert row["reference_metric"] == reference.summary["test_metric"]
        assert row["reference_validation_metric"] == reference.summary["validation_metric"]
        before, after = dense.arrays(), reference.arrays()
        for path, values in after.items():
            is_frozen = path.startswith("params/conv")
            assert np.array_equal(values, before[path]) == is_frozen
            assert is_frozen or (values != 0).mean() > 0.95


def test_a_level_that_prunes_nothing_trains_what_its_reference_does(tmp_path):
    """The same batches, optimizer and frozen layers: the weights are those of the level but for last digits."""
    from xorjax.pipeline.build import group

    config = tiny(tmp_path, prune=replace(tiny(tmp_path).prune, rate=1e-6, through=(), schedule=LAST))
    run_sweep([config])
    plan = make_plan(config)
    (level,), (unpruned,) = plan.levels, plan.unpruned
    pruned, kept = (group(find(tmp_path / "runs", stage).arrays(), "params") for stage in (level, unpruned))
    assert pruned.keys() == kept.keys()
    for path, values in kept.items():
        np.testing.assert_allclose(pruned[path], values, rtol=0, atol=1e-4)


def test_a_row_for_each_point_and_one_for_each_baseline_of_a_quantized_model(swept):
    rows = table(swept)
    own = rows.filter(~pl.col("baseline"))
    assert own.select("prune_rate", "n_in").rows() == [(0.8, 12), (0.8, 20), (0.9, 12), (0.9, 20)]
    assert all(n_out > n_in and n_out % 32 == 0 for n_in, n_out in own.select("n_in", "n_out").rows())
    baselines = Counter(rows.filter("baseline").select("code", "mask_codec").rows())
    assert baselines == {(id, codec): 2 for id, code in CODES.items() for codec in code.beside}


def test_entropies_of_the_signs_are_near_what_their_codes_take(swept):
    for own in points(swept.parent):
        name = make_plan(own).baselines.name
        record = json.loads((paths.artifact_dir(swept, "baselines", name) / paths.ARTIFACT).read_text())
        (layer,) = record["summary"]["entropies"]
        bits = {rival["code"]: rival["code_bits"] / 400_000 for rival in record["summary"]["layers"][layer]}
        for entropy, code in (("sign_entropy", "ans_signs"), ("context_entropy", "context_signs")):
            assert record["summary"]["entropies"][layer][entropy] == pytest.approx(
                bits[code], abs=160 / 400_000
            )


def test_bits_are_the_bytes_of_the_file(swept):
    """Each XOR row's bits, stream by stream, against the tensors of the compressed file it came from."""
    rows = table(swept).filter(~pl.col("baseline"))
    for row in rows.iter_rows(named=True):
        plan = make_plan(config_of(row, swept))
        file = paths.artifact_dir(swept, "encode", plan.encode.name) / paths.COMPRESSED
        size = Counter()
        for name, n_bytes in compressed(file)[1].items():
            if name.startswith("layers/fc1/kernel/"):
                kind = (
                    "index_bits"
                    if "/mask/" in name
                    else "scale_bits"
                    if name.endswith("scales")
                    else "code_bits"
                    if name.endswith("codes")
                    else "patch_bits"
                )
                size[kind] += 8 * n_bytes
        assert {kind: row[kind] * 400_000 for kind in size} == pytest.approx(dict(size))
        assert row["bits_per_weight"] * 400_000 == pytest.approx(sum(size.values()))


def config_of(row, runs) -> Config:
    config = next(
        c for c in points(runs.parent) if (c.prune.rate, c.code.n_in) == (row["prune_rate"], row["n_in"])
    )
    assert make_plan(config).point == row["point"]
    return config


def test_the_exact_prune_rate_is_kept(swept):
    rows = table(swept)
    assert (rows["n_kept"] == ((1 - rows["prune_rate"]) * 400_000).round().cast(int)).all()


def test_a_model_from_the_file_alone_predicts_what_the_table_says(swept):
    row = table(swept).filter(pl.col("n_in") == 20).row(0, named=True)
    config = config_of(row, swept)
    file = paths.artifact_dir(swept, "encode", make_plan(config).encode.name) / paths.COMPRESSED
    test = dataset(config.task, config.data).test
    logits = predict(config.task, coded_model("lenet5", load(file)), test)
    assert np.mean(logits.argmax(1) == test.targets) == row["test_accuracy"] == row["quantized_accuracy"]


def test_a_repeated_sweep_trains_nothing_and_gives_the_same_table(swept, tmp_path):
    shutil.copytree(swept, tmp_path / "runs")
    before, events = table(tmp_path / "runs"), stage_events(tmp_path / "runs")
    run_sweep(points(tmp_path))
    assert_frame_equal(table(tmp_path / "runs"), before)
    assert stage_events(tmp_path / "runs") == events


def test_a_sweep_made_again_from_nothing_gives_the_same_table_but_for_times(swept, tmp_path):
    run_sweep(points(tmp_path)[:2])
    run_sweep(points(tmp_path))
    columns = [*TIMES, "config"]
    assert_frame_equal(table(tmp_path / "runs").drop(columns), table(swept).drop(columns))


def test_a_training_that_is_made_again_to_the_same_weights_is_all_that_is_made(swept, tmp_path, capsys):
    shutil.copytree(swept, tmp_path / "runs")
    dense = paths.artifact_dir(tmp_path / "runs", "dense", make_plan(points(tmp_path)[0]).dense.name)
    (dense / paths.ARTIFACT).write_text("{")
    before = stage_events(tmp_path / "runs")
    assert all(outcome.status == "ok" for outcome in run_sweep(points(tmp_path)))
    assert stage_events(tmp_path / "runs") - before == {
        ("dense", event): 1 for event in ("damaged", "made", "finished")
    }
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("rebuilding", told.index("; ") + 2)


def test_what_is_gone_of_finished_points_is_not_waited_for(swept, tmp_path, capsys):
    shutil.copytree(swept, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "baselines")
    run_sweep(points(tmp_path))
    assert "[4/4] finished before\n" in capsys.readouterr().out


def test_runs_that_are_deleted_under_way_are_told_and_rebuilt(swept, tmp_path, monkeypatch):
    last = make_plan(points(tmp_path)[-1]).point
    check = evaluate.check_planes

    def delete(*args):
        if deleted := [file.stem for file in (tmp_path / "runs").glob("reports/tiny/points/*.json")][2:]:
            assert last not in deleted
            shutil.rmtree(tmp_path / "runs")
            monkeypatch.setattr(evaluate, "check_planes", check)
        return check(*args)

    monkeypatch.setattr(evaluate, "check_planes", delete)
    with pytest.raises(FileNotFoundError, match="run the same command to rebuild what is gone"):
        run_sweep(points(tmp_path))
    run_sweep(points(tmp_path))
    columns = [*TIMES, "config"]
    assert_frame_equal(table(tmp_path / "runs").drop(columns), table(swept).drop(columns))


@pytest.mark.parametrize("damage", ["delete", "change"])
def test_a_best_model_whose_artifact_is_not_whole_is_told_and_not_left_stale(swept, tmp_path, capsys, damage):
    shutil.copytree(swept, tmp_path / "runs")
    report = paths.report_dir(tmp_path / "runs", "tiny")
    kept, stale = paths.best_model(report, 0.8), paths.best_model(report, 0.9)
    assert kept.exists()
    assert stale.exists()
    for plan in map(make_plan, points(tmp_path)[2:]):
        directory = paths.artifact_dir(tmp_path / "runs", "encode", plan.encode.name)
        if damage == "delete":
            shutil.rmtree(directory)
        else:
            data = bytearray((directory / paths.COMPRESSED).read_bytes())
            data[-1] ^= 1
            (directory / paths.COMPRESSED).write_bytes(data)
    (outcome,) = run_sweep([tiny(tmp_path, code=replace(tiny(tmp_path).code, n_in=16))])
    assert outcome.status == "ok"
    printed = capsys.readouterr().out
    assert "best model at S = 0.9: none: " in printed
    assert "report: " in printed
    assert kept.exists()
    assert not stale.exists()


def test_a_single_point_adds_itself_to_the_report(swept, tmp_path):
    shutil.copytree(swept, tmp_path / "runs")
    other = tiny(tmp_path, code=replace(tiny(tmp_path).code, n_in=16))
    run_sweep([other])
    shapes = table(tmp_path / "runs").filter(~pl.col("baseline"))["n_in"]
    assert sorted(shapes.to_list()) == [12, 12, 16, 20, 20]


def test_a_point_that_fails_is_a_row_and_told_at_once(swept, tmp_path, monkeypatch, capsys):
    shutil.copytree(swept, tmp_path / "runs")
    other = tiny(tmp_path, code=replace(tiny(tmp_path).code, n_in=16))

    def fail(*args):
        raise LosslessError("fc1/kernel: plane 0 decodes to 1 wrong care bits")

    monkeypatch.setattr(evaluate, "check_planes", fail)
    (outcome,) = run_sweep([other])
    error = "LosslessError: fc1/kernel: plane 0 decodes to 1 wrong care bits"
    assert (outcome.status, outcome.error) == ("failed", error)
    printed = capsys.readouterr()
    assert "1 of 5 points failed" in printed.out
    # A decoder's bug is ours, whichever module defines its error.
    assert outcome.ours
    assert "Traceback (most recent call last):" in printed.err
    told = printed.err.splitlines()
    assert f"error: evaluate {make_plan(other).evaluate.name}: {error}" in told
    assert "  to run it alone: tests S=0.8 n_in=16" in told
    failed = table(tmp_path / "runs").filter(pl.col("status") == "failed")
    assert failed["error"].to_list() == [error]
    assert failed["command"].to_list() == ["tests S=0.8 n_in=16"]
    monkeypatch.undo()
    run_sweep([other])
    assert table(tmp_path / "runs").filter(pl.col("status") == "failed").is_empty()


def test_a_decoder_that_breaks_after_encoding_is_our_bug(swept, tmp_path, monkeypatch, capsys):
    """The encoded file is there, whole, and reading it decodes it."""
    shutil.copytree(swept, tmp_path / "runs")
    plan = make_plan(points(tmp_path)[0])
    shutil.rmtree(paths.artifact_dir(tmp_path / "runs", "evaluate", plan.evaluate.name))
    whole = XorCode.decode
    monkeypatch.setattr(XorCode, "decode", lambda self, *args: ~whole(self, *args))
    (outcome,) = run_sweep([points(tmp_path)[0]])
    assert (outcome.status, outcome.ours) == ("failed", True)
    assert "LosslessError: the file that encode wrote is refused: " in outcome.error
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_rows_that_do_not_fit_are_our_bug_and_the_other_points_go_on(swept, tmp_path, monkeypatch, capsys):
    shutil.copytree(swept, tmp_path / "runs")
    other = tiny(tmp_path, code=replace(tiny(tmp_path).code, n_in=16))
    whole = point.point_rows

    def without_layer(plan, *args):
        rows = whole(plan, *args)
        return [row | {"layer": 7} for row in rows] if plan.point == make_plan(other).point else rows

    monkeypatch.setattr(point, "point_rows", without_layer)
    outcomes = run_sweep([other, tiny(tmp_path, code=replace(tiny(tmp_path).code, n_in=17))])
    assert [(outcome.status, outcome.ours) for outcome in outcomes] == [("failed", True), ("ok", False)]
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert "RowError: the column 'layer' of the result row is 7, expected str or None" in told
    failed = table(tmp_path / "runs").filter(pl.col("status") == "failed")
    assert failed["error"].str.starts_with("RowError").all()
    assert len(failed) == 1


def test_no_file_is_hashed_twice_for_one_use(swept, tmp_path, monkeypatch):
    """Each stage that reads a file looks at it once, however often it asks for it; so does the end of a point."""
    shutil.copytree(swept, tmp_path / "runs")
    other = tiny(tmp_path, code=replace(tiny(tmp_path).code, n_in=16))
    hashed = Counter()

    def counted(path):
        hashed[path.parent.name, path.name] += 1
        return sha256(path)

    monkeypatch.setattr(artifact, "sha256", counted)
    monkeypatch.setattr(Reports, "conclude", lambda *args: None)
    run_sweep([other])
    plan = make_plan(other)
    assert hashed == {
        (plan.quantize.name, paths.ARRAYS): 2,  # by encode and by evaluate
        (f"{plan.encode.name}.partial", paths.COMPRESSED): 1,  # for its record
        (plan.encode.name, paths.COMPRESSED): 2,  # by evaluate and at the end
    }


def wound(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("kind", ["encode", "evaluate"])
def test_a_damaged_artifact_of_a_finished_point_is_made_again(swept, tmp_path, kind, capsys):
    shutil.copytree(swept, tmp_path / "runs")
    before = table(tmp_path / "runs")
    config = points(tmp_path)[0]
    stage = getattr(make_plan(config), kind)
    files = paths.artifact_dir(tmp_path / "runs", kind, stage.name).iterdir()
    wound(max(files, key=lambda file: file.stat().st_size))
    events = stage_events(tmp_path / "runs")
    run_sweep(points(tmp_path))
    assert stage_events(tmp_path / "runs") - events == {
        (kind, event): 1 for event in ("damaged", "made", "finished")
    }
    assert f"rebuilding {kind} {stage.name}" in capsys.readouterr().err
    changing = [*TIMES, "config", "commit"]
    assert_frame_equal(table(tmp_path / "runs").drop(changing), before.drop(changing))


def test_a_damaged_record_of_a_point_is_written_again(swept, tmp_path):
    """Also one that still reads well: a digit of an accuracy."""
    shutil.copytree(swept, tmp_path / "runs")
    before = table(tmp_path / "runs")
    report = paths.report_dir(tmp_path / "runs", "tiny")
    plans = [make_plan(config) for config in points(tmp_path)]
    digit, torn, gone = (paths.point_file(report, plan.point) for plan in plans[:3])
    text = digit.read_text()
    digit.write_text(text.replace('"test_accuracy": 0.', '"test_accuracy": 0.9'))
    assert digit.read_text() != text
    torn.write_text(torn.read_text()[:100])
    gone.unlink()
    events = stage_events(tmp_path / "runs")
    run_sweep(points(tmp_path))
    assert stage_events(tmp_path / "runs") == events
    changing = [*TIMES, "config", "commit"]
    assert_frame_equal(table(tmp_path / "runs").drop(changing), before.drop(changing))


@pytest.mark.parametrize("finished", [False, True])
def test_what_was_made_from_another_artifact_is_made_again(swept, tmp_path, finished):
    """The quantized model is made again elsewhere, and differs: what was encoded from the old one is not kept."""
    shutil.copytree(swept, tmp_path / "runs")
    config = points(tmp_path)[0]
    plan = make_plan(config)
    directory = paths.artifact_dir(tmp_path / "runs", "quantize", plan.quantize.name)
    arrays = find(tmp_path / "runs", plan.quantize).arrays()
    arrays["planes/fc1/kernel"] = ~arrays["planes/fc1/kernel"]
    save_arrays(directory / paths.ARRAYS, arrays)
    record = read_record(directory / paths.ARTIFACT)
    record["files"][paths.ARRAYS] = hashlib.sha256((directory / paths.ARRAYS).read_bytes()).hexdigest()
    write_record(directory / paths.ARTIFACT, record)
    if not finished:
        paths.point_file(paths.report_dir(tmp_path / "runs", "tiny"), plan.point).unlink()
    before = stage_events(tmp_path / "runs")
    (outcome,) = run_sweep([config])
    made = stage_events(tmp_path / "runs") - before
    assert made["encode", "damaged"] == made["encode", "made"] == made["baselines", "made"] == 1
    assert made["quantize", "made"] == 0
    # The signs no longer fit the logits that were noted beside them.
    assert outcome.error.startswith("LosslessError")


@pytest.mark.parametrize("strategy", ["rewind", "rewind_lr"])
def test_rewinding(strategy, tmp_path):
    base = tiny(tmp_path)
    prune = replace(base.prune, rate=0.5, strategy=strategy, rewind_epoch=1)
    run_sweep([replace(base, prune=prune)])
    plan = make_plan(replace(base, prune=prune))
    (level,) = plan.levels
    metrics = paths.artifact_dir(tmp_path / "runs", "prune", level.name) / paths.METRICS
    assert [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()] == [2]
    assert (table(tmp_path / "runs")["status"] == "ok").all()
    dense, pruned = (find(tmp_path / "runs", stage).arrays() for stage in (plan.dense, level))
    frozen = {path: value for path, value in dense.items() if "conv" in path}
    assert len(frozen) == 4
    for path, value in frozen.items():
        np.testing.assert_array_equal(pruned[path], value)


def test_nothing_is_pruned_at_rate_zero(tmp_path):
    base = tiny(tmp_path)
    run_sweep(
        [replace(base, prune=replace(base.prune, rate=0.0), code=replace(base.code, n_in=20, n_out=40))]
    )
    row = table(tmp_path / "runs").row(0, named=True)
    assert row["n_kept"] == 400_000
    assert row["lossless"]


@pytest.mark.slow
def test_convolutions_and_several_layers_at_once(tmp_path):
    base = tiny(tmp_path, freeze=())
    prune = replace(base.prune, rate=0.5, layers=("conv2", "fc*"))
    quantize = replace(base.quantize, n_planes=2, scale="channel")
    run_sweep([replace(base, prune=prune, quantize=quantize)])
    rows = table(tmp_path / "runs").filter(~pl.col("baseline"))
    assert rows["layer"].to_list() == ["conv2", "fc1", "fc2"]
    assert rows["lossless"].all()
    assert rows["n_planes"].to_list() == [2, 2, 2]


def test_layers_have_settings_of_their_own(tmp_path):
    base = tiny(tmp_path)
    rule = {"prune.rate": 0.5, "quantize.n_planes": 2, "code.id": "signs", "mask.codec": "bitmap"}
    prune = replace(base.prune, layers=("fc*",))
    config = replace(base, prune=prune, per_layer=(("fc2", tuple(rule.items())),))
    (outcome,) = run_sweep([config])
    assert outcome.status == "ok"
    rows = table(tmp_path / "runs").filter(~pl.col("baseline"))
    columns = ("layer", "prune_rate", "n_planes", "code", "mask_codec")
    assert rows.select(columns).rows() == [
        ("fc1", 0.8, 1, "xor", "ans_rc"),
        ("fc2", 0.5, 2, "signs", "bitmap"),
    ]
    kept = dict(rows.select("layer", pl.col("n_kept") / pl.col("n_weights")).rows())
    assert kept == pytest.approx({"fc1": 0.2, "fc2": 0.5})
    file = load(
        paths.artifact_dir(tmp_path / "runs", "encode", make_plan(config).encode.name) / paths.COMPRESSED
    )
    assert file.layers["fc2/kernel"].code == SignsCode()


def test_codes_are_swept_on_one_quantized_model(tmp_path):
    run_sweep([tiny(tmp_path), tiny(tmp_path, code=SignsCode())])
    rows = table(tmp_path / "runs").filter(~pl.col("baseline"))
    assert rows["code"].to_list() == ["xor", "signs"]
    assert rows["quantized"].n_unique() == 1
    plan = json.loads(paths.plan_file(paths.report_dir(tmp_path / "runs", "tiny")).read_text())
    assert plan["swept"] == {"code.id": ["xor", "signs"]}


@pytest.mark.parametrize("key", ["optim", "prune.optim", "quantize.optim"])
def test_a_diverging_training_fails_with_its_step_and_setting(swept, tmp_path, key):
    shutil.copytree(swept, tmp_path / "runs")
    base = tiny(tmp_path)
    wild = replace(base.optim, name="sgd", learning_rate=1e18)
    section = key.removesuffix("optim").rstrip(".")
    changed = {section: replace(getattr(base, section), optim=wild)} if section else {"optim": wild}
    (outcome,) = run_sweep([replace(base, **changed)])
    assert outcome.error.startswith("TrainingError")
    assert not outcome.ours
    assert re.search("epoch 1, step [0-9]+", outcome.error)
    assert f" lower {key}.learning_rate" in outcome.error


@pytest.mark.parametrize(
    ("codec", "search"),
    [
        pytest.param("lowrank", "rounds", marks=pytest.mark.slow),
        pytest.param("lowrank", "loop", marks=pytest.mark.slow),
        ("codebook", "rounds"),
        ("codebook", "loop"),
        pytest.param("xor", "rounds", marks=pytest.mark.slow),
        pytest.param("xor", "loop", marks=pytest.mark.slow),
    ],
)
def test_an_approximate_mask_is_trained_under_and_is_the_files(codec, search, tmp_path):
    base = tiny(tmp_path)
    mask = MaskConfig(codec, index_bits=0.1, rounds=2, search=search, choices=2)
    config = replace(base, prune=replace(base.prune, rate=0.9), mask=mask)
    run_sweep([config])
    plan = make_plan(config)
    assert [level.prune_rate for level in plan.levels] == [0.5]
    quantized = find(tmp_path / "runs", plan.quantize).arrays()
    compressed = load(paths.artifact_dir(tmp_path / "runs", "encode", plan.encode.name) / paths.COMPRESSED)
    layer = compressed.layers["fc1/kernel"]
    assert layer.index.codec == codec
    np.testing.assert_array_equal(layer.mask, quantized["masks/fc1/kernel"])
    assert abs(1 - layer.mask.mean() - 0.9) <= 0.002
    row = table(tmp_path / "runs").filter(~pl.col("baseline")).row(0, named=True)
    assert row["lossless"]
    assert row["index_bits"] == pytest.approx(0.1, rel=0.1)
    assert 0.3 < row["kept_score"] < 1


def test_structure_makes_the_mask_cheaper(tmp_path):
    base = tiny(tmp_path)
    prune = replace(base.prune, rate=0.9, score="outgoing", structure=1.0)
    run_sweep([replace(base, prune=replace(base.prune, rate=0.9)), replace(base, prune=prune)])
    index = table(tmp_path / "runs").filter(~pl.col("baseline"))["index_bits"].to_list()
    assert index[1] < 0.7 * index[0]


def test_the_best_model_of_each_rate_lies_beside_the_report(swept):
    report = paths.report_dir(swept, "tiny")
    for rate in (0.8, 0.9):
        model = load(paths.best_model(report, rate))
        assert 1 - model.layers["fc1/kernel"].mask.mean() == pytest.approx(rate)
    assert len(list((report / "models").iterdir())) == 2


def test_a_sweep_says_what_its_report_no_longer_shows(swept, tmp_path, capsys):
    shutil.copytree(swept, tmp_path / "runs")
    some = [
        points(tmp_path)[0],
        replace(points(tmp_path)[1], code=replace(points(tmp_path)[1].code, n_in=16)),
    ]
    run_sweep(some)
    told = " ".join(capsys.readouterr().out.split())
    assert "reports/tiny no longer shows 3 points of an earlier command" in told
    assert "report=NAME" in told
    models = paths.best_models(paths.report_dir(tmp_path / "runs", "tiny"))
    assert [model.name for model in models] == ["S0.8.safetensors"]
    assert set(table(tmp_path / "runs")["n_in"].to_list()) >= {12, 16}
    other = [replace(config, report="wider") for config in some]
    run_sweep(other)
    assert "no longer shows" not in capsys.readouterr().out
    assert_frame_equal(
        table(tmp_path / "runs", "wider").drop("experiment", *TIMES, "config", "command"),
        table(tmp_path / "runs").drop("experiment", *TIMES, "config", "command"),
    )


def test_signs_that_quantized_training_flips_are_counted(swept, tmp_path):
    """Against the signs of the pruned model, of the weights that are kept."""
    for row in table(swept).filter(~pl.col("baseline")).iter_rows(named=True):
        plan = make_plan(config_of(row, swept))
        pruned, quantized = (find(swept, stage).arrays() for stage in (plan.pruned, plan.quantize))
        mask = quantized["masks/fc1/kernel"]
        changed = (pruned["params/fc1/kernel"] > 0) != quantized["planes/fc1/kernel"][0]
        assert row["flipped_signs"] == pytest.approx(changed[mask].mean())
