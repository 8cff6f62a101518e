"""What the page is told of a run directory at each moment of a sweep."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from run_files import RunFiles

from xorjax.dashboard import stages, watch
from xorjax.dashboard.curves import curve_titles
from xorjax.dashboard.plan import Point, Plan, Stage
from xorjax.dashboard.watch import Watcher


@pytest.fixture
def files(tmp_path):
    return RunFiles(tmp_path / "runs")


@pytest.fixture
def ask(files):
    """The page's data now, all of it; an experiment that is not named is the newest."""
    watcher = Watcher(files.runs)

    def ask(name=None):
        _, content = watcher.answer(name, None)
        return json.loads(content)

    return ask


def states(answer):
    return [point["state"] for point in answer["experiment"]["points"]]


def gone():
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_a_directory_that_is_not_there_is_shown_and_filled(files, ask):
    assert ask() == {
        "runs": str(files.runs),
        "exists": False,
        "experiments": [],
        "experiment": None,
        "token": ask()["token"],
    }
    files.runs.mkdir()
    assert ask()["exists"]
    files.plan()
    assert [entry["name"] for entry in ask()["experiments"]] == ["sweep"]
    assert states(ask()) == ["waiting", "waiting"]


def test_a_sweep_from_its_plan_to_its_end(files, ask):
    files.plan()
    work = files.begin("dense", "dense-a")
    files.epochs(work, 1, 2, torn=True)
    told = ask()["experiment"]
    assert states(ask()) == ["running", "running"]
    (at_work,) = told["working"]
    assert (at_work["kind"], at_work["epochs"], at_work["of"], at_work["points"]) == ("dense", 2, 4, 2)
    assert (at_work["state"], at_work["pid"], at_work["validation"]) == ("running", os.getpid(), 0.95)
    assert at_work["metric"] == told["metric"]["name"] == "accuracy"
    assert [curve["epoch"] for curve in told["curves"]] == [[1, 2]]
    files.finish("dense", "dense-a", 8.0)
    files.make("prune", "prune-a")
    files.make("quantize", "quantize-a")
    files.make_point(0)
    files.begin("encode", "encode1-sweep")
    told = ask()["experiment"]
    assert states(ask()) == ["ok", "running"]
    point = told["points"][0]
    assert point["bits"] == pytest.approx((300 * 0.2 + 100 * 0.6) / 400)
    assert (point["validation"], point["test"], point["seconds"]) == (0.97, 0.98, 3.0)
    assert (point["title"], point["command"]) == ("S 0.9, n_in 20, n_out 200, seed 0", "run evaluate0-sweep")
    kinds = {kind.pop("kind"): kind for kind in told["kinds"]}
    assert kinds["dense"] == {"done": 1, "all": 1, "uses": 2}
    assert kinds["encode"] == {"done": 1, "running": 1, "all": 2, "uses": 2}
    assert [curve["kind"] for curve in told["curves"]] == ["quantize", "prune", "dense"]
    files.finish("encode", "encode1-sweep")
    files.make("evaluate", files.points[1])
    files.point(1)
    assert ask()["experiment"]["counts"] == {"ok": 2}
    assert ask()["experiment"]["working"] == []
    assert ask()["experiment"]["left"] is None


def test_the_time_left_is_that_of_the_stages_left(files, ask):
    files.plan()
    files.make("dense", "dense-a", 12.0)  # 3 s an epoch
    files.begin("prune", "prune-a")
    # 2 epochs each of prune and quantize, which may cost a small part of dense training's.
    assert ask()["experiment"]["left"] is None
    files.epochs(files.runs / "prune" / "prune-a.partial", 1)
    files.finish("prune", "prune-a", 4.0)
    files.begin("quantize", "quantize-a")
    assert ask()["experiment"]["left"] is None
    files.epochs(files.runs / "quantize" / "quantize-a.partial", 1, 2)
    files.finish("quantize", "quantize-a", 6.0)
    files.begin("encode", "encode0-sweep")
    # 4 stages of kinds not met yet at 1 s.
    assert ask()["experiment"]["left"] == 4
    files.finish("encode", "encode0-sweep", 7.0)
    files.begin("encode", "encode1-sweep")
    assert ask()["experiment"]["left"] == 7 + 2


def test_the_time_left_counts_the_epochs_of_what_is_under_way(files, ask):
    files.plan()
    files.make("dense", "dense-a", 12.0)
    files.make("prune", "prune-a", 4.0)
    work = files.begin("quantize", "quantize-a")
    files.epochs(work, 1)
    seconds = files.now.timestamp()
    os.utime(work / "metrics.jsonl", (seconds + 5, seconds + 5))
    for path in (work, *work.iterdir()):
        os.utime(path, (seconds + 5, seconds + 5))
    # It has taken 5 s for the one epoch, and has one more to go.
    assert ask()["experiment"]["left"] == 5 + 4


def test_the_time_left_is_shared_by_those_at_work(files, ask):
    files.plan()
    files.make_shared()
    files.begin("encode", "encode0-sweep")
    alone = ask()["experiment"]["left"]
    files.begin("encode", "encode1-sweep", host="elsewhere", pid=7)
    os.utime(files.runs / "encode" / "encode1-sweep.partial")
    assert ask()["experiment"]["left"] == alone / 2


def test_seconds_of_old_logs_come_from_the_artifacts(files, ask):
    files.plan()
    files.make("dense", "dense-a", 20.0)
    files.make("prune", "prune-a", 10.0)
    files.make("quantize", "quantize-a", 6.0)
    files.make("encode", "encode0-sweep", 8.0)
    log = files.runs / "stages.jsonl"
    log.write_text("".join(line for line in log.read_text().splitlines(True) if "finished" not in line))
    files.begin("encode", "encode1-sweep")
    assert ask()["experiment"]["left"] == 8 + 2


def test_a_failed_point_is_shown_with_its_directory_and_command(files, ask):
    files.plan()
    files.make_shared()
    files.begin("encode", "encode0-sweep")
    files.event("failed", "encode", "encode0-sweep", error="ValueError: seen at once")
    # Before the point's file is written.
    assert states(ask()) == ["failed", "waiting"]
    files.fail_point(0, "ValueError: seen at once")
    (failure,) = ask()["experiment"]["failures"]
    assert failure["message"] == "ValueError: seen at once"
    assert failure["directory"] == str(files.runs / "encode" / "encode0-sweep.partial")
    assert (failure["command"], failure["count"]) == ("run evaluate0-sweep", 1)
    assert ask()["experiments"][0]["failed"] == 1


def test_points_that_fail_by_one_stage_are_one_failure(files, ask):
    files.plan()
    files.begin("dense", "dense-a")
    files.event("failed", "dense", "dense-a", error="TrainingError: not finite")
    (failure,) = ask()["experiment"]["failures"]
    assert failure["count"] == 2
    assert states(ask()) == ["failed", "failed"]


def test_a_failed_point_that_is_run_again_is_running(files, ask):
    files.plan()
    files.make_shared()
    files.begin("encode", "encode0-sweep")
    files.event("failed", "encode", "encode0-sweep", error="no")
    files.fail_point(0, "no")
    files.event("resumed", "encode", "encode0-sweep")
    assert states(ask())[0] == "running"
    files.finish("encode", "encode0-sweep")
    files.make("evaluate", files.points[0])
    files.point(0)
    assert states(ask())[0] == "ok"
    assert ask()["experiment"]["failures"] == []


def test_work_whose_process_is_gone_has_stopped(files, ask):
    files.plan()
    files.begin("dense", "dense-a", pid=gone())
    told = ask()["experiment"]
    assert states(ask()) == ["stopped", "stopped"]
    assert "has ended: run the same command" in told["working"][0]["note"]
    assert told["left"] is None
    files.event("resumed", "dense", "dense-a")
    assert states(ask()) == ["running", "running"]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")
def test_work_whose_process_ended_unnoticed_by_its_parent_has_stopped(files, ask):
    files.plan()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        files.begin("dense", "dense-a", pid=process.pid)
        assert states(ask()) == ["stopped", "stopped"]


def test_work_that_was_interrupted_or_left_has_stopped(files, ask):
    files.plan()
    files.begin("dense", "dense-a")
    files.event("interrupted", "dense", "dense-a")
    assert states(ask()) == ["stopped", "stopped"]
    (files.runs / "stages.jsonl").unlink()
    assert states(ask()) == ["stopped", "stopped"]
    shutil.rmtree(files.runs / "dense")
    assert states(ask()) == ["waiting", "waiting"]


@pytest.mark.parametrize("remove", ["stages.jsonl", "."])
def test_a_log_that_is_gone_under_open_work_is_begun_anew(files, ask, remove):
    files.plan()
    files.begin("dense", "dense-a")
    assert states(ask()) == ["running", "running"]
    if remove == ".":
        shutil.rmtree(files.runs)
        files.plan()
        assert states(ask()) == ["waiting", "waiting"]
    else:
        (files.runs / remove).unlink()
        assert states(ask()) == ["stopped", "stopped"]
    assert ask()["experiment"]["working"] == []
    files.event("resumed", "dense", "dense-a")
    assert states(ask()) == ["running", "running"]


def test_a_log_that_was_replaced_is_read_anew(files, ask):
    files.plan()
    files.begin("dense", "dense-a")
    assert states(ask()) == ["running", "running"]
    (files.runs / "stages.jsonl").write_text("")
    files.event("made", "prune", "prune-a")
    (work,) = ask()["experiment"]["working"]
    assert work["name"] == "prune-a"


def test_work_on_another_host_is_judged_by_its_signs_of_life(files, ask, monkeypatch):
    files.plan()
    work = files.begin("dense", "dense-a", host="elsewhere", pid=1)
    files.epochs(work, 1)
    assert states(ask()) == ["running", "running"]
    monkeypatch.setattr(stages, "SILENCE", -1.0)
    assert states(ask()) == ["stopped", "stopped"]
    assert "no activity on elsewhere" in ask()["experiment"]["working"][0]["note"]


def test_a_damaged_stage_is_to_be_made_again(files, ask):
    files.plan()
    files.make_shared()
    (files.runs / "dense" / "dense-a").rename(files.runs / "dense" / "dense-a.damaged")
    files.event("damaged", "dense", "dense-a", reason="its checksum is wrong")
    told = ask()["experiment"]
    assert told["states"][0] == [0, "waiting", "its artifact was damaged and is to be rebuilt"]
    assert told["events"][0]["message"] == "its checksum is wrong"


def test_the_rounds_of_a_mask_are_one_curve(files, ask):
    files.plan()
    work = files.begin("dense", "dense-a")
    files.epochs(work / "round0", 1, 2)
    files.epochs(work / "round1", 1)
    (curve,) = ask()["experiment"]["curves"]
    assert curve["epoch"] == [1, 2, 3]
    assert ask()["experiment"]["working"][0]["epochs"] == 3


def test_metrics_that_were_written_anew_replace_the_old(files, ask):
    files.plan()
    work = files.begin("dense", "dense-a")
    files.epochs(work, 1, 2, 3)
    assert ask()["experiment"]["curves"][0]["epoch"] == [1, 2, 3]
    files.epochs(work / "again", 1, 2)
    (work / "again" / "metrics.jsonl").replace(work / "metrics.jsonl")
    assert ask()["experiment"]["curves"][0]["epoch"] == [1, 2]


@pytest.mark.parametrize("key", ["stages", "details"])
def test_a_plan_of_an_older_version_says_how_to_renew_it(files, ask, key):
    files.plan()
    record = json.loads((files.report / "plan.json").read_text())
    del record[key]
    files.write(files.report / "plan.json", record)
    error = ask("sweep")["experiment"]["error"]
    assert error == "plan.json is of an older version: repeat its command, run all"
    assert ask("sweep")["experiment"]["points"] == []


def test_points_of_one_title_are_told_apart_by_their_commands(files, ask):
    files.plan()
    record = json.loads((files.report / "plan.json").read_text())
    for i, rate in enumerate(("0.1", "0.2")):
        record["details"][files.points[i]] |= {"title": "S 0.9, seed 0", "command": f"run rate={rate} seed=0"}
    files.write(files.report / "plan.json", record)
    titles = [point["title"] for point in ask()["experiment"]["points"]]
    assert titles == ["S 0.9, seed 0, rate=0.1", "S 0.9, seed 0, rate=0.2"]


def test_only_what_changed_is_told(files):
    watcher = Watcher(files.runs)
    files.plan()
    files.make_shared()
    token, _ = watcher.answer("sweep", None)
    assert watcher.answer("sweep", token) == (token, None)
    files.make_point(1)
    newer, content = watcher.answer("sweep", token)
    news = json.loads(content)["experiment"]
    assert not news["whole"]
    assert [point["i"] for point in news["points"]] == [1]
    assert [state[0] for state in news["states"]] == [5, 6]
    assert "stages" not in news
    files.points.append("evaluate2-sweep")
    files.plan()
    _, content = watcher.answer("sweep", newer)
    news = json.loads(content)["experiment"]
    assert news["whole"]
    assert len(news["points"]) == 3
    assert len(news["stages"]) == 9


@pytest.mark.parametrize("token", ["", "x", "0.1.2", "..", "sweep.99", "é"])
def test_a_token_of_elsewhere_gets_everything(files, token):
    files.plan()
    _, content = Watcher(files.runs).answer("sweep", token)
    news = json.loads(content)["experiment"]
    assert news["whole"]
    assert len(news["points"]) == 2


def test_a_token_is_of_one_experiment(files):
    files.plan()
    RunFiles(files.runs, 3, "other").plan()
    watcher = Watcher(files.runs)
    token, _ = watcher.answer("sweep", None)
    _, content = watcher.answer("other", token)
    assert len(json.loads(content)["experiment"]["points"]) == 3


def test_many_point_files_are_read_a_part_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "FILES_A_LOOK", 4)
    files = RunFiles(tmp_path / "runs", 10)
    files.plan()
    for i in range(10):
        files.point(i)
    watcher, token, left = Watcher(files.runs), None, []
    for _ in range(3):
        token, content = watcher.answer("sweep", token)
        left.append(json.loads(content)["experiment"]["reading"])
    assert left == [6, 2, 0]
    assert watcher.answer("sweep", token) == (token, None)


def test_a_point_that_is_gone_or_replaced_is_told(files, ask):
    files.plan()
    files.fail_point(0, "no")
    assert states(ask()) == ["failed", "waiting"]
    files.point(0)
    assert states(ask()) == ["ok", "waiting"]
    (files.report / "points" / f"{files.points[0]}.json").unlink()
    assert states(ask()) == ["waiting", "waiting"]
    shutil.rmtree(files.runs)
    assert ask()["experiments"] == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"points": 3}',
        '{"points": ["../../secret"]}',
        '{"points": ["a"], "stages": [{"kind": "..", "name": "a", "epochs": 1}]}',
        '{"points": ["a"], "details": {"a": {"title": "", "command": "", "stages": [7]}}}',
        '{"points": ["a"], "details": []}',
        '{"points": ["a"], "stages": 5}',
    ],
)
def test_a_plan_of_a_stranger_is_named_and_the_others_go_on(files, ask, content):
    files.plan()
    other = files.runs / "reports" / "other"
    other.mkdir()
    (other / "plan.json").write_text(content)
    assert "plan.json" in ask("other")["experiment"]["error"]
    assert ask("other")["experiment"]["points"] == []
    assert states(ask("sweep")) == ["waiting", "waiting"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"point": "other"}', '{"point": "evaluate0-sweep", "rows": 5}']
)
def test_a_point_file_of_a_stranger_is_shown_as_such(files, ask, content):
    files.plan()
    files.point(1)
    (files.report / "points" / "evaluate0-sweep.json").write_text(content)
    (files.report / "points" / "stranger.json").write_text("{")
    (files.report / "points" / "evaluate0-sweep").mkdir()
    assert states(ask()) == ["unreadable", "ok"]
    assert ask()["experiment"]["failures"][0]["message"].startswith("evaluate0-sweep.json")


@pytest.mark.parametrize(
    "values",
    [
        {"n_weights": None},
        {"n_weights": "many", "prune_rate": [], "seed": True, "command": 5, "mask_codec": {}},
        {
            "bits_per_weight": 1e999,
            "validation_metric": 10**400,
            "metric": [],
            "metric_unit": 3,
            "finished_at": "soon",
        },
        {"n_weights": 0},
    ],
)
def test_rows_of_another_version_are_shown_as_far_as_they_go(files, ask, values):
    files.plan()
    files.point(0, rows=[{"baseline": False, **values}])
    assert states(ask())[0] == "ok"
    assert ask()["experiment"]["points"][0]["bits"] is None


def test_foreign_files_and_half_deleted_directories_change_nothing(files, ask):
    files.plan()
    files.make_shared()
    files.event("made", "../../etc", "passwd")
    with (files.runs / "stages.jsonl").open("a") as log:
        log.write('[]\n{"stage": 5}\n\x00\n{"stage": "dense", "name": "dense-a", "event": "ma')
    (files.runs / "dense" / "dense-a" / "artifact.json").unlink()
    (files.runs / "encode").write_text("a file")
    (files.runs / "reports" / "notes.txt").write_text("a file")
    (files.runs / "reports" / "empty").mkdir()
    assert [state[1] for state in ask()["experiment"]["states"]][:3] == ["waiting", "done", "done"]
    assert states(ask()) == ["waiting", "waiting"]


def test_what_rests_on_a_failure_is_blocked_until_it_is_resumed(files, ask):
    files.plan()
    files.make("dense", "dense-a")
    files.begin("prune", "prune-a")
    files.event("failed", "prune", "prune-a", error="no")
    told = ask()["experiment"]["states"]
    assert [state[1] for state in told] == ["done", "failed", *["blocked"] * 5]
    assert told[2][2] == "blocked by prune prune-a, which failed"
    assert states(ask()) == ["failed", "failed"]
    assert ask()["experiment"]["kinds"][2] == {"kind": "quantize", "blocked": 1, "all": 1, "uses": 2}
    files.event("resumed", "prune", "prune-a")
    assert [state[1] for state in ask()["experiment"]["states"]][1:] == ["running", *["waiting"] * 5]


def test_what_another_point_needs_is_not_blocked(files, ask):
    files.plan()
    record = json.loads((files.report / "plan.json").read_text())
    # Both points share all but evaluate.
    record["details"][files.points[1]]["stages"][3] = 3
    files.write(files.report / "plan.json", record)
    files.make_shared()
    files.begin("evaluate", files.points[0])
    files.event("failed", "evaluate", files.points[0], error="no")
    assert ask()["experiment"]["states"][3][1] == "waiting"
    assert states(ask()) == ["failed", "waiting"]


def test_what_is_blocked_takes_no_time(files, ask):
    files.plan()
    files.make_shared()
    files.begin("encode", "encode0-sweep")
    before = ask()["experiment"]["left"]
    files.event("failed", "encode", "encode0-sweep", error="no")
    files.begin("encode", "encode1-sweep")
    # Neither this encode nor the evaluate after it are made.
    assert ask()["experiment"]["left"] == before - 2


def test_points_that_differ_in_the_seed_alone_have_one_setting(files, ask):
    files.points.append("evaluate2-sweep")
    files.plan(
        [{"seed": 0, "prune.rate": 0.9}, {"seed": 1, "prune.rate": 0.9}, {"seed": 0, "prune.rate": 0.8}]
    )
    row = {"baseline": False, "n_weights": 100, "bits_per_weight": 0.5, "n_test": 2000}
    for i in range(3):
        files.point(i, rows=[row], config={"data": {"n_validation": 1000}})
    first, second, third = ask()["experiment"]["points"]
    assert first["setting"] == second["setting"] != third["setting"]
    assert (first["n_validation"], first["n_test"]) == (1000, 2000)


def test_a_plan_that_does_not_say_what_differs_has_no_settings(files, ask):
    files.plan()
    files.point(0)
    assert {point["setting"] for point in ask()["experiment"]["points"]} == {None}


def test_a_metric_that_is_to_be_low_is_told_with_its_direction(files, ask):
    perplexity = {"metric": "perplexity", "metric_unit": "", "higher_is_better": False}
    files.plan()
    work = files.begin("dense", "dense-a")
    files.write(work / "metrics.jsonl", {"epoch": 1, "validation_metric": 99.5, "metric": "perplexity"})
    with (work / "metrics.jsonl").open("a") as file:
        file.write("\n")
    assert ask()["experiment"]["metric"]["label"] == "perplexity"
    row = {"baseline": False, "code": "signs", "n_weights": 100, "bits_per_weight": 1.5, "test_metric": 89.5}
    files.point(0, rows=[row | perplexity, row | {"baseline": True, "bits_per_weight": 9.0}])
    told = ask()["experiment"]
    named = {"name": "perplexity", "unit": "", "scale": 1.0, "higher_is_better": False}
    assert told["metric"].items() >= named.items()
    assert (told["points"][0]["bits"], told["points"][0]["test"]) == (1.5, 89.5)


def test_values_of_another_metric_are_not_shown_among_the_first_ones(files, ask):
    files.plan()
    files.point(0)
    other = {"metric": "perplexity", "metric_unit": "", "higher_is_better": False, "test_metric": 89.5}
    files.point(1, rows=[{"baseline": False, "n_weights": 100, "bits_per_weight": 1.5} | other])
    first, second = ask()["experiment"]["points"]
    assert (first["test"], second["test"]) == (0.98, None)
    assert second["note"] == "judged by perplexity, not by accuracy"


@pytest.mark.parametrize("config", [None, "{}", [], {"data": 5}, {"data": {"n_validation": "all"}}, 7])
def test_a_configuration_that_cannot_be_read_is_none(files, ask, config):
    files.plan()
    files.point(0, rows=[{"baseline": False}], config=config)
    assert ask()["experiment"]["points"][0]["n_validation"] is None


def test_curves_of_one_name_are_told_apart(files, ask):
    """By their points' titles, and where these are equal too by the hash."""
    names = [f"lenet5-mnist-seed0-S0.9-q1-{digits * 10}" for digits in "0123"]
    stages = [Stage("quantize", name, 2) for name in names] + [
        Stage("dense", "lenet5-mnist-seed0-aaaaaaaaaa", 2)
    ]
    titles = [
        "S 0.9, seed 0, quantize.optim.name=adam",
        "S 0.9, seed 0, quantize.optim.name=sgd",
        "S 0.9",
        "S 0.9",
    ]
    details = {str(i): Detail(title, "", (i, 4)) for i, title in enumerate(titles)}
    assert curve_titles(stages, Planned("", tuple(details), tuple(stages), details)) == [
        "quantize, S 0.9, seed 0, optim.name=adam",
        "quantize, S 0.9, seed 0, optim.name=sgd",
        "quantize, S 0.9, seed 0, 2222222222",
        "quantize, S 0.9, seed 0, 3333333333",
        "dense, seed 0",
    ]
