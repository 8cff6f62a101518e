"""What becomes of stages when something goes wrong: waited for, made again, left. Here they take no time."""

import errno
import json
import shutil
import threading
from collections import Counter
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from tiny_sweep import points

from xorjax import engines, paths
from xorjax.engines import WorkerLost
from xorjax.pipeline import stage as stages
from xorjax.pipeline.artifact import ArtifactError, find, make, save_arrays, set_aside
from xorjax.pipeline.build import existing
from xorjax.pipeline.claims import alone, claim
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.plan_file import PlanError, write_plan
from xorjax.pipeline.schedule import MAX_REMAKES, Schedule, Stopped

SHARED = {"dense": 1, "prune": 3, "quantize": 2, "baselines": 2, "encode": 4, "evaluate": 4}
"""The stages of the tiny sweep's four points."""


def pretend(build) -> dict:
    """A stage that reads what it needs and writes a number that depends on it."""
    upstream = [build.upstream(need).arrays()["number"] for need in build.plan.needs(build.stage)]
    save_arrays(build.work / paths.ARRAYS, {"number": np.asarray(sum(upstream, start=np.zeros(1)) + 1)})
    return {}


class Listener:
    def __init__(self):
        self.made, self.told, self.running = Counter(), [], []

    def begin(self, stage):
        self.running.append(stage.name)

    def end(self, stage, seconds):
        self.running.remove(stage.name)
        if seconds is not None:
            self.made[stage.kind] += 1

    def waiting(self, stage, holder):
        self.told.append(("waiting", stage.kind))

    def again(self, stage, reason):
        self.told.append(("again", stage.kind))

    def failed(self, node, failure):
        self.told.append(("failed", node.stage.kind, len(node.points)))

    def dropped(self, stage):
        self.told.append(("dropped", stage.kind))


class Sweep:
    """The four points of the tiny sweep with stages that are pretended."""

    def __init__(self, tmp_path):
        self.runs = tmp_path / "runs"
        self.plans = {plan.point: plan for plan in map(make_plan, points(tmp_path))}

    def run(self, engine=None, on_error="continue", check=True, listener=None):
        self.listener, self.finished, self.failed = listener or Listener(), [], []

        def finish(point):
            for stage in self.plans[point].stages if check else ():
                existing(self.runs, stage).check()
            self.finished.append(point)

        schedule = Schedule(
            self.plans,
            self.runs,
            engine or engines.Serial(),
            self.listener,
            finish,
            lambda point, failure: self.failed.append((point, failure.error)),
            on_error,
        )
        schedule.run()
        return self.listener.made

    def numbers(self):
        return {
            stage.name: find(self.runs, stage).arrays()["number"].item()
            for plan in self.plans.values()
            for stage in plan.stages
        }


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    for kind in stages.STAGES:
        monkeypatch.setitem(stages.STAGES, kind, pretend)
    return Sweep(tmp_path)


def test_every_stage_is_made_once_and_points_finish_in_order(sweep):
    assert sweep.run() == SHARED
    assert sweep.finished == list(sweep.plans)
    assert sweep.run() == {}
    assert sweep.finished == list(sweep.plans)


def failing(error):
    def build(build):
        raise error

    return build


def test_a_failure_takes_the_points_that_rest_on_it_and_no_others(sweep, monkeypatch):
    plan = next(iter(sweep.plans.values()))

    def quantize(build):
        if build.stage.name == plan.quantize.name:
            raise RuntimeError("no such luck")
        return pretend(build)

    monkeypatch.setitem(stages.STAGES, "quantize", quantize)
    made = sweep.run()
    assert made == SHARED | {"quantize": 1, "baselines": 1, "encode": 2, "evaluate": 2}
    ids = list(sweep.plans)
    assert sweep.finished == ids[2:]
    assert sweep.failed == [(point, "RuntimeError: no such luck") for point in ids[:2]]
    assert sweep.listener.told[0] == ("failed", "quantize", 2)
    assert Counter(sweep.listener.told[1:]) == {
        ("dropped", "baselines"): 1,
        ("dropped", "encode"): 2,
        ("dropped", "evaluate"): 2,
    }
    assert sweep.listener.running == []


def test_stop_ends_the_command_at_the_first_failure(sweep, monkeypatch):
    monkeypatch.setitem(stages.STAGES, "quantize", failing(RuntimeError("no such luck")))
    with pytest.raises(Stopped, match="no such luck"):
        sweep.run(on_error="stop")
    assert sweep.listener.made["quantize"] == 0
    assert sweep.finished == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_what_the_system_refuses_stops_the_command_and_is_resumed(sweep, monkeypatch, code):
    with monkeypatch.context() as context:
        context.setitem(stages.STAGES, "encode", failing(OSError(code, "the system says no")))
        with pytest.raises(Stopped, match="the system says no"):
            sweep.run()
    sweep.run()
    assert sweep.finished == list(sweep.plans)


def test_a_write_that_fails_midway_leaves_nothing_that_is_taken_for_whole(sweep, monkeypatch):
    def full(build):
        (build.work / paths.ARRAYS).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setitem(stages.STAGES, "prune", full)
        with pytest.raises(Stopped):
            sweep.run()
    sweep.run()
    fresh = sweep.numbers()
    assert min(fresh.values()) == 1
    assert len(set(fresh.values())) > 5


def damages():
    def flip(file):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)

    return {
        "flipped": flip,
        "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
        "empty": lambda file: file.write_bytes(b""),
        "missing": lambda file: file.unlink(),
    }


@pytest.mark.parametrize("damage", damages())
@pytest.mark.parametrize("file", [paths.ARRAYS, paths.ARTIFACT])
@pytest.mark.parametrize("kind", SHARED)
def test_a_damaged_artifact_is_made_again(sweep, kind, file, damage):
    sweep.run()
    before = sweep.numbers()
    stage = next(s for s in next(iter(sweep.plans.values())).stages if s.kind == kind)
    damages()[damage](paths.artifact_dir(sweep.runs, kind, stage.name) / file)
    made = sweep.run()
    assert made == {kind: 1}
    assert ("again", kind) in sweep.listener.told
    assert sweep.numbers() == before
    assert sweep.finished[0] in sweep.plans
    assert sorted(sweep.finished) == sorted(sweep.plans)
    assert paths.set_aside_dir(sweep.runs, kind, stage.name).is_dir()


@pytest.mark.parametrize("kind", SHARED)
def test_a_directory_deleted_under_way_is_made_again(sweep, kind, monkeypatch):
    """When the last point is evaluated, one of its stages vanishes."""
    plan = list(sweep.plans.values())[-1]
    stage = next(s for s in plan.stages if s.kind == kind)
    done = []

    def evaluate(build):
        if build.stage.name == plan.evaluate.name and not done:
            done.append(shutil.rmtree(paths.artifact_dir(sweep.runs, kind, stage.name), ignore_errors=True))
        return pretend(build)

    monkeypatch.setitem(stages.STAGES, "evaluate", evaluate)
    sweep.run(check=False)
    assert sorted(sweep.finished) == sorted(sweep.plans)
    needed = kind in ("quantize", "encode")
    assert (sweep.listener.made[kind] == SHARED[kind] + 1) == needed


@pytest.mark.parametrize("times", [1, MAX_REMAKES + 1])
def test_a_directory_deleted_while_it_is_written_is_begun_again_so_often(sweep, times, monkeypatch):
    deleted = []

    def quantize(build):
        if len(deleted) < times and build.stage.name == next(iter(sweep.plans.values())).quantize.name:
            deleted.append(shutil.rmtree(build.work))
        return pretend(build)

    monkeypatch.setitem(stages.STAGES, "quantize", quantize)
    sweep.run(check=False)
    lost = 0 if times <= MAX_REMAKES else 2
    assert len(sweep.finished) == len(sweep.plans) - lost
    assert len(sweep.failed) == lost
    assert sweep.listener.told.count(("again", "quantize")) == min(times, MAX_REMAKES)


def test_a_stage_of_another_command_is_waited_for_while_others_are_made(sweep):
    plan = next(iter(sweep.plans.values()))
    stage = plan.quantize
    for before in (plan.dense, *plan.levels):
        stages.run_stage(plan.config, before.name)
    held, may_go = threading.Event(), threading.Event()

    def other():
        def slowly(work):
            held.set()
            assert may_go.wait(20)
            save_arrays(work / paths.ARRAYS, {"number": np.full(1, 100.0)})
            return {}

        needs = {need.name: find(sweep.runs, need) for need in plan.needs(stage)}
        make(sweep.runs, stage, needs, slowly)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(20)

    class Watching(Listener):
        def begin(self, stage):
            super().begin(stage)
            # The two points that do not rest on it are through.
            if self.made["evaluate"] == 1 and stage.kind == "evaluate":
                may_go.set()

    made = sweep.run(listener=Watching())
    thread.join()
    assert ("waiting", "quantize") in sweep.listener.told
    assert made["quantize"] == 1
    assert sorted(sweep.finished) == sorted(sweep.plans)
    assert sweep.finished[0] not in list(sweep.plans)[:2]
    assert sweep.numbers()[stage.name] == 100


def test_plans_grow_by_one_command_at_a_time(tmp_path):
    """Two searches add their points at once: none is lost."""
    plans = {plan.point: plan for plan in map(make_plan, points(tmp_path))}
    report = paths.report_dir(tmp_path / "runs", "tiny")

    def add(point):
        with alone(tmp_path / "runs", "plan", "tiny"):
            write_plan(report, {point: plans[point]}, {point: "alone"}, "search", True)

    threads = [threading.Thread(target=add, args=(point,)) for point in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plan = json.loads(paths.plan_file(report).read_text())
    assert sorted(plan["points"]) == sorted(plan["details"]) == sorted(plans)
    assert len(plan["stages"]) == sum(SHARED.values())


@pytest.mark.parametrize("content", ['{"points": [', "[]", '{"command": "x"}', "\xff"])
def test_a_damaged_plan_that_a_point_would_be_added_to_is_refused_by_name(tmp_path, content):
    plan = make_plan(points(tmp_path)[0])
    report = paths.report_dir(tmp_path / "runs", "tiny")
    report.mkdir(parents=True)
    paths.plan_file(report).write_text(content, encoding="latin-1")
    with pytest.raises(PlanError, match=r"plan.json: it is damaged; delete it"):
        write_plan(report, {plan.point: plan}, {plan.point: "alone"}, "point", False)


def test_a_command_with_several_points_replaces_a_damaged_plan(tmp_path, capsys):
    plans = {plan.point: plan for plan in map(make_plan, points(tmp_path))}
    report = paths.report_dir(tmp_path / "runs", "tiny")
    report.mkdir(parents=True)
    paths.plan_file(report).write_text("{")
    assert write_plan(report, plans, dict.fromkeys(plans, "alone"), "sweep", False) == (0, "")
    assert capsys.readouterr().err.endswith("plan.json: it is damaged; it is replaced\n")
    assert json.loads(paths.plan_file(report).read_text())["points"] == list(plans)


def test_a_claim_is_one_processs(tmp_path):
    stage = make_plan(points(tmp_path)[0]).dense
    with claim(tmp_path, stage), pytest.raises(Exception, match="process"), claim(tmp_path, stage):
        pass
    with claim(tmp_path, stage):
        assert paths.claim_file(tmp_path, "dense", stage.name).read_text().startswith("process ")


@pytest.mark.parametrize("times", [1, MAX_REMAKES, MAX_REMAKES + 1])
def test_a_worker_that_dies_is_replaced_so_often(sweep, times):
    first = next(iter(sweep.plans.values())).quantize.name
    left = [times]

    class Losing:
        n_jobs = 1

        def close(self, now=False):
            pass

        def submit(self, function, config, name):
            future = Future()
            if name == first and left[0]:
                left[0] -= 1
                future.set_exception(WorkerLost("killed"))
            else:
                future.set_result(function(config, name))
            return future

    sweep.run(Losing())
    lost = times > MAX_REMAKES
    assert sorted(sweep.finished) == sorted(list(sweep.plans)[2 * lost :])
    assert len(sweep.failed) == 2 * lost


def test_an_interruption_is_noted_and_resumed(sweep, monkeypatch):
    with monkeypatch.context() as context:
        context.setitem(stages.STAGES, "quantize", failing(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            sweep.run()
    assert sweep.listener.running == [next(iter(sweep.plans.values())).quantize.name]
    events = [json.loads(line) for line in paths.stage_log(sweep.runs).read_text().splitlines()]
    assert (events[-1]["event"], events[-1]["stage"]) == ("interrupted", "quantize")
    sweep.run()
    events = [json.loads(line) for line in paths.stage_log(sweep.runs).read_text().splitlines()]
    assert Counter(event["event"] for event in events)["resumed"] == 1
    assert sweep.finished == list(sweep.plans)


def test_a_plan_of_other_settings_shares_what_it_can(sweep):
    sweep.run()
    plan = next(iter(sweep.plans.values()))
    other = make_plan(replace(plan.config, code=replace(plan.config.code, n_in=16)))
    sweep.plans = {other.point: other}
    assert sweep.run() == {"encode": 1, "evaluate": 1}


def test_a_full_disk_ends_the_command_though_its_log_takes_no_line(sweep, monkeypatch):
    """Another stage runs when one fails: the engine is closed and the failure is the one that is told."""
    last = list(sweep.plans.values())[-1].pruned.name

    class TwoAtOnce:
        n_jobs, closed = 2, False

        def close(self, now=False):
            self.closed = now

        def submit(self, function, config, name):
            future = Future()
            # The last level of pruning stays under way.
            if name != last:
                future.set_result(function(config, name))
            return future

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def quantize(build):
        monkeypatch.setattr("xorjax.pipeline.schedule.log_event", full)
        raise OSError(errno.ENOSPC, "the quantized model")

    monkeypatch.setitem(stages.STAGES, "quantize", quantize)
    engine = TwoAtOnce()
    with pytest.raises(Stopped, match="the quantized model"):
        sweep.run(engine)
    assert engine.closed
    assert sweep.listener.running == [last]


def test_an_artifact_that_appears_between_two_looks_is_no_damage(tmp_path, monkeypatch):
    """Another command renames a finished directory into place while this one looks for it."""
    plan = make_plan(points(tmp_path)[0])
    runs, stage = tmp_path / "runs", plan.dense
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    make(runs, stage, {}, lambda work: save_arrays(work / paths.ARRAYS, {"number": np.ones(1)}) or {})
    away = directory.with_name("elsewhere")
    directory.rename(away)
    exists = type(directory).exists

    def exists_then_appears(path, **options):
        there = exists(path, **options)
        if not there and away.is_dir():
            away.rename(directory)
        return there

    monkeypatch.setattr(type(directory), "exists", exists_then_appears)
    assert find(runs, stage) is None
    assert find(runs, stage) is not None


@pytest.mark.parametrize(
    ("error", "of_system"),
    [
        (PermissionError(errno.EACCES, "may not"), True),
        (RuntimeError("save failed: No space left on device"), True),
        (FileNotFoundError(errno.ENOENT, "a file that a stage forgot to write"), False),
        (RuntimeError("no such luck"), False),
    ],
)
def test_only_what_would_refuse_all_stages_is_the_systems(sweep, monkeypatch, error, of_system):
    plan = next(iter(sweep.plans.values()))
    for stage in plan.stages[: plan.stages.index(plan.quantize)]:
        stages.run_stage(plan.config, stage.name)
    monkeypatch.setitem(stages.STAGES, "quantize", failing(error))
    failure = stages.run_stage(plan.config, plan.quantize.name)
    assert (failure.of_system, failure.ours) == (of_system, not of_system)


def test_an_artifact_made_again_meanwhile_is_not_set_aside(sweep):
    """The verdict of a worker waits while another command makes the stage again."""
    sweep.run()
    stage = next(iter(sweep.plans.values())).encode
    file = paths.artifact_dir(sweep.runs, stage.kind, stage.name) / paths.ARRAYS
    file.write_bytes(b"")
    with pytest.raises(ArtifactError) as verdict:
        find(sweep.runs, stage).check()
    assert sweep.run()["encode"] == 1
    assert not set_aside(sweep.runs, stage, verdict.value)
    find(sweep.runs, stage).check()
    file.write_bytes(b"")
    with pytest.raises(ArtifactError) as verdict:
        find(sweep.runs, stage).check()
    assert set_aside(sweep.runs, stage, verdict.value)


def test_waiting_for_another_command_takes_no_processor(sweep, monkeypatch):
    """A stage found made by another leaves no moment in the past to wait for."""
    plans = list(sweep.plans.values())
    for before in (plans[0].dense, *plans[0].levels):
        stages.run_stage(plans[0].config, before.name)
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        assert seconds > 0
        if len(naps) == 1:  # the first stage that is waited for is finished by its command
            first.close()
            stages.run_stage(plans[0].config, plans[0].quantize.name)
        if len(naps) > 3:
            second.close()

    # A clock that only naps move, so that no moment passes by itself.
    monkeypatch.setattr("xorjax.pipeline.schedule.time.sleep", sleep)
    monkeypatch.setattr("xorjax.pipeline.schedule.time.monotonic", lambda: 10.0 + sum(naps))
    first, second = ExitStack(), ExitStack()
    first.enter_context(claim(sweep.runs, plans[0].quantize))
    second.enter_context(claim(sweep.runs, plans[-1].quantize))
    sweep.run()
    assert sorted(sweep.finished) == sorted(sweep.plans)
    assert len(naps) < 10


def test_a_lost_worker_is_told_and_in_the_end_logged_as_a_failure(sweep):
    first = next(iter(sweep.plans.values())).quantize

    class Losing:
        n_jobs = 1

        def close(self, now=False):
            pass

        def submit(self, function, config, name):
            future = Future()
            if name == first.name:
                future.set_exception(WorkerLost("killed"))
            else:
                future.set_result(function(config, name))
            return future

    sweep.run(Losing())
    assert sweep.listener.told.count(("again", "quantize")) == MAX_REMAKES
    assert ("failed", "quantize", 2) in sweep.listener.told
    events = [json.loads(line) for line in paths.stage_log(sweep.runs).read_text().splitlines()]
    assert [(e["name"], e["error"]) for e in events if e["event"] == "failed"] == [(first.name, "killed")]


def test_a_stage_found_bad_too_often_drops_what_rests_on_it(sweep, monkeypatch):
    plan = next(iter(sweep.plans.values()))

    def evaluate(build):
        if build.stage.name == plan.evaluate.name:
            shutil.rmtree(paths.artifact_dir(sweep.runs, "encode", plan.encode.name))
        return pretend(build)

    monkeypatch.setitem(stages.STAGES, "evaluate", evaluate)
    sweep.run()
    assert [point for point, _ in sweep.failed] == [plan.point]
    assert sorted(sweep.finished) == sorted(set(sweep.plans) - {plan.point})
