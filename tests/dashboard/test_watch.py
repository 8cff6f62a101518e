"""What the page is told of a run directory at each moment of a sweep."""

import json
import os
import shutil
import sys

import pytest
from run_files import RunFiles

from xorjax.dashboard import experiment, watch
from xorjax.dashboard.curves import curve_titles
from xorjax.dashboard.plan import Plan, Point, Stage
from xorjax.dashboard.watch import Watcher


@pytest.fixture
def files(tmp_path):
    return RunFiles(tmp_path / "runs")


@pytest.fixture
def ask(files):
    """The page's data now, all of it; an experiment that is not named is the newest."""
    watcher = Watcher(files.runs)
    return lambda name=None: json.loads(watcher.answer(name))


@pytest.fixture
def tell(ask):
    """What is told of the newest experiment."""
    return lambda: ask()["experiment"]


def points(told) -> list[str]:
    return [point["state"] for point in told["points"]]


def of_stages(told) -> list[str]:
    return [state for _, _, state, _ in told["stages"]]


def drawn(told) -> list[str]:
    return [title for title, _ in told["legend"]]


def ended() -> int:
    """The id of a process that has ended, and that nobody has asked yet whether it did."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_a_directory_that_is_not_there_is_shown_and_filled(files, ask):
    assert ask().items() >= {"exists": False, "experiments": [], "experiment": None}.items()
    files.runs.mkdir()
    assert ask()["exists"]
    files.plan()
    assert [entry["name"] for entry in ask()["experiments"]] == ["sweep"]
    assert points(ask()["experiment"]) == ["waiting", "waiting"]
    shutil.rmtree(files.runs)
    assert ask()["experiments"] == []


def test_a_sweep_from_its_plan_to_its_end(files, tell):
    files.plan()
    files.epochs(files.begin("dense", "dense-a"), 1, 2, torn=True)
    told = tell()
    assert points(told) == ["running", "running"]
    expected = {"kind": "dense", "epochs": 2, "of": 4, "points": 2, "state": "running", "pid": os.getpid()}
    assert told["working"][0].items() >= (expected | {"validation": "95.00 %"}).items()
    metric, loss = map(json.loads, told["figures"])
    assert [trace["y"] for trace in metric["data"] + loss["data"]] == [[90, 95], [1, 0.5], [1, 0.5]]
    assert metric["layout"]["xaxis"]["range"] == loss["layout"]["xaxis"]["range"] == [0, 4]
    assert drawn(told) == ["dense dense-a (running)"]
    files.finish("dense", "dense-a", 8.0)
    files.make("prune", "prune-a")
    files.make("quantize", "quantize-a")
    files.make_point(0)
    files.begin("encode", "encode1-sweep")
    told = tell()
    assert points(told) == ["ok", "running"]
    assert told["points"][0]["title"] == "S 0.9, n_in 20, n_out 200, seed 0"
    assert told["points"][0]["command"] == "run evaluate0-sweep"
    kinds = {kind.pop("kind"): kind for kind in told["kinds"]}
    assert kinds["dense"] == {"done": 1, "all": 1, "uses": 2}
    assert kinds["encode"] == {"done": 1, "running": 1, "all": 2, "uses": 2}
    assert drawn(told) == ["quantize quantize-a", "prune prune-a", "dense dense-a"]
    files.finish("encode", "encode1-sweep")
    files.make("evaluate", files.points[1])
    files.point(1)
    assert tell().items() >= {"counts": {"ok": 2}, "working": [], "left": None}.items()


def test_the_time_left_is_that_of_the_stages_left_and_shared_by_those_at_work(files, tell):
    files.plan()
    files.make("dense", "dense-a", 12.0)  # 3 s an epoch
    files.begin("prune", "prune-a")
    # 2 epochs each of prune and quantize, which may cost a small part of dense training's.
    assert tell()["left"] is None
    files.finish("prune", "prune-a", 4.0)
    work = files.begin("quantize", "quantize-a")
    files.epochs(work, 1)
    for path in (*work.iterdir(), work):
        os.utime(path, 2 * (files.now.timestamp() + 5,))
    # It has taken 5 s for the one epoch, and has one more to go; 4 stages of kinds not met yet at 1 s.
    assert tell()["left"] == 5 + 4
    files.finish("quantize", "quantize-a", 6.0)
    files.make("encode", "encode0-sweep", 7.0)
    files.begin("encode", "encode1-sweep")
    assert tell()["left"] == 7 + 2
    files.begin("evaluate", files.points[0], host="elsewhere", pid=7)
    assert tell()["left"] == (7 + 2) / 2
    files.event("failed", "encode", "encode1-sweep", error="no")
    # What is blocked takes no time.
    assert tell()["left"] == 1


@pytest.mark.parametrize(("kind", "name", "n"), [("encode", "encode0-sweep", 1), ("dense", "dense-a", 2)])
def test_a_failure_is_shown_as_it_happens_until_it_is_run_again(files, ask, tell, kind, name, n):
    files.plan()
    if kind != "dense":
        files.make_shared()
    files.fail(kind, name, "ValueError: no")
    expected = {"message": "ValueError: no", "command": "run evaluate0-sweep", "count": n}
    expected["directory"] = str(files.runs / kind / f"{name}.partial")
    for _ in range(2):
        (failure,) = tell()["failures"]
        assert failure.items() >= expected.items()
        assert points(tell()) == ["failed", "failed" if n == 2 else "waiting"]
        assert ask()["experiments"][0]["failed"] == n
        for i in range(n):
            files.point(i, "failed", "ValueError: no")
    files.event("resumed", kind, name)
    assert points(tell())[0] == "running"
    files.point(0)
    assert points(tell())[0] == "ok"


def test_what_rests_on_a_failure_is_blocked_unless_another_point_needs_it(files, tell):
    files.plan()
    files.make("dense", "dense-a")
    files.fail("prune", "prune-a", "no")
    assert of_stages(tell()) == ["done", "failed", *["blocked"] * 5]
    assert "prune-a" in tell()["stages"][2][3]
    files.event("resumed", "prune", "prune-a")
    assert of_stages(tell()) == ["done", "running", *["waiting"] * 5]
    files.finish("prune", "prune-a")
    files.fail("evaluate", files.points[0], "no")
    # Both points share all but evaluate.
    files.replan(lambda plan: plan["details"][files.points[1]].update(stages=[0, 1, 2, 3, 6]))
    assert of_stages(tell())[2:5] == ["waiting", "waiting", "failed"]
    assert points(tell()) == ["failed", "waiting"]


ELSEWHERE = {"host": "elsewhere", "pid": 1}


@pytest.mark.parametrize(
    ("leave", "state", "overview"),
    [
        (lambda files: None, "waiting", "waiting"),
        (lambda files: files.begin("dense", "dense-a"), "running", "running"),
        (lambda files: files.begin("dense", "dense-a", pid=ended()), "stopped", "stopped"),
        (lambda files: (files.begin("dense", "dense-a"), files.event("interrupted", "dense", "dense-a")),
         "stopped", "stopped"),
        (lambda files: (files.runs / "dense" / "dense-a.partial").mkdir(parents=True), "stopped", "stopped"),
        (lambda files: files.make("dense", "dense-a"), "waiting", "stopped"),  # killed between two stages
        (lambda files: files.begin("dense", "dense-a", **ELSEWHERE), "running", "running"),
        (lambda files: os.utime(files.begin("dense", "dense-a", **ELSEWHERE), (0, 0)), "stopped", "stopped"),
        (lambda files: [files.point(i) for i in range(2)], "ok", "finished"),
        (lambda files: [files.point(i, "failed", "no") for i in range(2)], "failed", "finished"),
    ],
)  # fmt: skip
def test_the_state_of_an_experiment_and_of_its_points(files, ask, monkeypatch, leave, state, overview):
    monkeypatch.setattr(experiment, "LONGEST_BREAK", -1.0)
    files.plan()
    leave(files)
    assert points(ask()["experiment"]) == [state, state]
    assert ask()["experiments"][0]["state"] == overview
    assert (ask()["experiments"][0]["failed"] > 0) == (state == "failed")


def test_a_short_break_between_two_stages_is_no_stop(files, ask):
    files.plan()
    files.make("dense", "dense-a")
    os.utime(files.report / "plan.json")
    assert ask()["experiments"][0]["state"] == "waiting"


@pytest.mark.parametrize("remove", ["stages.jsonl", "."])
def test_a_log_that_is_gone_under_open_work_is_begun_anew(files, tell, remove):
    files.plan()
    files.begin("dense", "dense-a")
    assert points(tell()) == ["running", "running"]
    if remove == ".":
        shutil.rmtree(files.runs)
        files.plan()
    else:
        (files.runs / remove).unlink()
    assert points(tell()) == ["waiting" if remove == "." else "stopped"] * 2
    assert tell()["working"] == []
    files.event("resumed", "dense", "dense-a")
    assert points(tell()) == ["running", "running"]


def test_a_damaged_stage_is_to_be_made_again(files, tell):
    files.plan()
    files.make_shared()
    (files.runs / "dense" / "dense-a").rename(files.runs / "dense" / "dense-a.damaged")
    files.event("damaged", "dense", "dense-a", reason="its checksum is wrong")
    assert of_stages(tell())[:2] == ["waiting", "done"]
    assert tell()["events"][0]["message"] == "its checksum is wrong"


def test_curves_follow_rounds_and_metrics_that_were_written_anew(files, tell):
    def epochs():
        return json.loads(tell()["figures"][0])["data"][0]["x"]

    files.plan()
    work = files.begin("dense", "dense-a")
    files.epochs(work / "round0", 1, 2)
    files.epochs(work / "round1", 1)
    assert epochs() == [1, 2, 3]
    assert tell()["working"][0]["epochs"] == 3
    files.epochs(work, 1, 2, 3, 4)
    assert epochs() == [1, 2, 3, 4]
    files.epochs(work / "again", 1, 2)
    (work / "again" / "metrics.jsonl").replace(work / "metrics.jsonl")
    assert epochs() == [1, 2]


def test_names_that_would_be_alike_are_told_apart(files, tell):
    """Curves by their points' titles, and where these are equal too by the hash; points by their commands."""
    planned = [Stage("quantize", f"lenet5-mnist-seed0-S0.9-q1-{digit * 10}") for digit in "0123"]
    planned.append(Stage("dense", "lenet5-mnist-seed0-aaaaaaaaaa"))
    optimizers = ("quantize.optim.name=adam", "quantize.optim.name=sgd")
    titles = [*(f"S 0.9, seed 0, {name}" for name in optimizers), "S 0.9", "S 0.9"]
    plan = Plan("", tuple(planned), {str(i): Point(title, "", (i, 4)) for i, title in enumerate(titles)})
    ends = ["optim.name=adam", "optim.name=sgd", "2222222222", "3333333333"]
    expected = [f"quantize, S 0.9, seed 0, {end}" for end in ends]
    assert curve_titles(planned, plan) == [*expected, "dense, seed 0"]
    files.plan()
    for i, rate in enumerate((0.1, 0.2)):
        alike = {"title": "S 0.9, seed 0", "command": f"run rate={rate} seed=0"}
        files.replan(lambda plan, i=i, alike=alike: plan["details"][files.points[i]].update(alike))
    titles = [point["title"] for point in tell()["points"]]
    assert titles == ["S 0.9, seed 0, rate=0.1", "S 0.9, seed 0, rate=0.2"]


def test_an_answer_is_another_when_something_changed(files, monkeypatch):
    monkeypatch.setattr(experiment, "LONGEST_BREAK", -1.0)
    watcher, other = Watcher(files.runs), RunFiles(files.runs, 3, "other")
    answers = []
    for change in (
        files.plan,
        files.make_shared,
        lambda: files.point(1),
        (files.report / "report.html").touch,
        other.plan,
    ):
        change()
        answers.append(watcher.answer("sweep"))
        assert watcher.answer("sweep") == Watcher(files.runs).answer("sweep") == answers[-1]
    assert len({*answers, watcher.answer("other")}) == 6


def test_many_point_files_are_read_a_part_at_a_time_and_again_when_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "FILES_A_LOOK", 4)
    files = RunFiles(tmp_path / "runs", 10)
    files.plan()
    for i in range(10):
        files.point(i)
    watcher = Watcher(files.runs)

    def tell():
        return json.loads(watcher.answer("sweep"))["experiment"]

    assert [tell()["reading"] for _ in range(3)] == [6, 2, 0]
    files.point(0, "failed", "no")
    (files.report / "points" / f"{files.points[1]}.json").unlink()
    assert points(tell())[:3] == ["failed", "waiting", "ok"]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"points": 3}', '{"points": ["../../secret"], "stages": [], "details": {}}'),
        '{"points": ["a"], "stages": [{"kind": "..", "name": "a", "epochs": 1}]}',
        '{"points": ["a"], "stages": [], "details": {"a": {"title": "", "command": "", "stages": [7]}}}',
        *('{"points": ["a"], "stages": [], "details": []}', '{"points": ["a"], "stages": 5}'),
        '{"points": ["a"], "command": "run all"}',  # of an older version
    ],
)
def test_a_plan_of_a_stranger_is_named_and_the_others_go_on(files, ask, content):
    files.plan()
    other = files.runs / "reports" / "other"
    other.mkdir()
    (other / "plan.json").write_text(content)
    told = ask("other")["experiment"]
    assert "plan.json" in told["error"]
    assert ("run all" in told["error"]) == ("run all" in content)
    assert told["points"] == []
    assert points(ask("sweep")["experiment"]) == ["waiting", "waiting"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"point": "other"}', '{"point": "evaluate0-sweep"}']
)
def test_a_point_file_of_a_stranger_is_shown_as_such(files, tell, content):
    files.plan()
    files.point(1)
    (files.report / "points" / "evaluate0-sweep.json").write_text(content)
    (files.report / "points" / "stranger.json").write_text("{")
    (files.report / "points" / "evaluate0-sweep").mkdir()
    assert points(tell()) == ["unreadable", "ok"]
    assert tell()["failures"][0]["message"].startswith("evaluate0-sweep.json")


METRICS = [
    "[]",
    "\x00",
    '{"epoch": "x"}',
    '{"epoch": 1e999}',
    '{"epoch": 7, "validation_metric": [], "metric": 5}',
]


def test_foreign_files_and_half_deleted_directories_change_nothing(files, tell):
    files.plan()
    files.make_shared()
    files.event("made", "../../etc", "passwd")
    with (files.runs / "stages.jsonl").open("a") as log:
        log.write('[]\n{"stage": 5}\n\x00\n{"stage": "dense", "name": "dense-a", "event": "ma')
    (files.runs / "prune" / "prune-a" / "metrics.jsonl").write_text("\n".join(METRICS) + "\n")
    (files.runs / "dense" / "dense-a" / "artifact.json").unlink()
    (files.runs / "encode").write_text("a file")
    (files.runs / "reports" / "notes.txt").write_text("a file")
    (files.runs / "reports" / "empty").mkdir()
    assert of_stages(tell())[:3] == ["waiting", "done", "done"]
    assert points(tell()) == ["waiting", "waiting"]
