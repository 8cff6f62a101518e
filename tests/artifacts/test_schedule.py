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

from xorjax import engines, paths
from xorjax.artifacts import schedule
from xorjax.artifacts.artifact import ArtifactError, existing, find, make, save_arrays, set_aside
from xorjax.artifacts.claims import claim
from xorjax.artifacts.graph import Node, Stage
from xorjax.artifacts.run import run_stage
from xorjax.artifacts.schedule import MAX_REMAKES, Schedule, Stopped
from xorjax.engines import WorkerLost
from xorjax.errors import UserError

SHARED = {"dense": 1, "prune": 3, "quantize": 2, "baselines": 2, "encode": 4, "evaluate": 4}
"""The stages of four points."""


class Plan:
    """The stages of one point: they are those of a sweep over two rates and two codes."""

    def __init__(self, levels, n_in):
        self.levels = tuple(Stage("prune", f"prune-{level}", 1) for level in levels)
        self.dense, self.pruned = Stage("dense", "dense", 2), self.levels[-1]
        self.quantize, self.baselines = (
            Stage(kind, f"{kind}-{levels[-1]}") for kind in ("quantize", "baselines")
        )
        self.encode, self.evaluate = (
            Stage(kind, f"{kind}-{levels[-1]}-{n_in}") for kind in ("encode", "evaluate")
        )
        made_from = {
            self.dense: (),
            self.quantize: (self.dense, self.pruned),
            self.baselines: (self.quantize,),
        }
        for level, before in zip(self.levels, (self.dense, *self.levels), strict=False):
            made_from[level] = tuple(dict.fromkeys((self.dense, before)))
        made_from[self.encode] = (self.pruned, self.quantize)
        made_from[self.evaluate] = (self.quantize, self.encode)
        self.point = self.evaluate.name
        self.stages = (self.dense, *self.levels, *list(made_from)[1:3], self.encode, self.evaluate)
        self.nodes = {stage: Node(stage, made_from[stage], build, (stage,)) for stage in self.stages}


def build(work, needs, stage):
    return BUILDS[stage.kind](work, needs, stage)


def pretend(work, needs, stage) -> dict:
    """A stage that reads what it needs and writes a number that depends on it."""
    upstream = [need.arrays()["number"] for need in needs.values()]
    save_arrays(work / paths.ARRAYS, {"number": np.asarray(sum(upstream, start=np.zeros(1)) + 1)})
    return {}


BUILDS = dict.fromkeys(SHARED, pretend)


class LayerError(UserError, ValueError):
    """A setting that cannot be."""


class Listener(schedule.Listener):
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

    def failed(self, stage, failure, goals):
        self.told.append(("failed", stage.kind, len(goals)))

    def dropped(self, stage):
        self.told.append(("dropped", stage.kind))


class Sweep:
    """The four points with stages that are pretended."""

    def __init__(self, tmp_path):
        self.runs = tmp_path / "runs"
        plans = [Plan(levels, n_in) for levels in ((5, 8), (5, 8, 9)) for n_in in (12, 20)]
        self.plans = {plan.point: plan for plan in plans}

    def run(self, engine=None, on_error="continue", check=True, listener=None):
        self.listener, self.finished, self.failed = listener or Listener(), [], []

        def finish(point):
            for stage in self.plans[point].stages if check else ():
                existing(self.runs, stage).check()
            self.finished.append(point)

        Schedule(
            {point: list(plan.nodes.values()) for point, plan in self.plans.items()},
            self.runs,
            engine or engines.Serial(),
            self.listener,
            finish,
            lambda point, failure: self.failed.append((point, failure.error)),
            on_error,
        ).run()
        return self.listener.made

    def numbers(self):
        return {
            stage.name: find(self.runs, stage).arrays()["number"].item()
            for plan in self.plans.values()
            for stage in plan.stages
        }


@pytest.fixture
def sweep(tmp_path):
    return Sweep(tmp_path)


def test_every_stage_is_made_once_and_points_finish_in_order(sweep):
    assert sweep.run() == SHARED
    assert sweep.finished == list(sweep.plans)
    assert sweep.run() == {}
    assert sweep.finished == list(sweep.plans)


def failing(error):
    def build(work, needs, stage):
        raise error

    return build


def test_a_failure_takes_the_points_that_rest_on_it_and_no_others(sweep, monkeypatch):
    plan = next(iter(sweep.plans.values()))

    def quantize(work, needs, stage):
        if stage.name == plan.quantize.name:
            raise RuntimeError("no such luck")
        return pretend(work, needs, stage)

    monkeypatch.setitem(BUILDS, "quantize", quantize)
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
    monkeypatch.setitem(BUILDS, "quantize", failing(RuntimeError("no such luck")))
    with pytest.raises(Stopped, match="no such luck"):
        sweep.run(on_error="stop")
    assert sweep.listener.made["quantize"] == 0
    assert sweep.finished == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_what_the_system_refuses_stops_the_command_and_is_resumed(sweep, monkeypatch, code):
    with monkeypatch.context() as context:
        context.setitem(BUILDS, "encode", failing(OSError(code, "the system says no")))
        with pytest.raises(Stopped, match="the system says no"):
            sweep.run()
    sweep.run()
    assert sweep.finished == list(sweep.plans)


def test_a_write_that_fails_midway_leaves_nothing_that_is_taken_for_whole(sweep, monkeypatch):
    def full(work, needs, stage):
        (work / paths.ARRAYS).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setitem(BUILDS, "prune", full)
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
    gone = next(s for s in plan.stages if s.kind == kind)
    done = []

    def evaluate(work, needs, stage):
        if stage.name == plan.evaluate.name and not done:
            done.append(shutil.rmtree(paths.artifact_dir(sweep.runs, kind, gone.name), ignore_errors=True))
        return pretend(work, needs, stage)

    monkeypatch.setitem(BUILDS, "evaluate", evaluate)
    sweep.run(check=False)
    assert sorted(sweep.finished) == sorted(sweep.plans)
    needed = kind in ("quantize", "encode")
    assert (sweep.listener.made[kind] == SHARED[kind] + 1) == needed


@pytest.mark.parametrize("times", [1, MAX_REMAKES + 1])
def test_a_directory_deleted_while_it_is_written_is_begun_again_so_often(sweep, times, monkeypatch):
    deleted = []

    def quantize(work, needs, stage):
        if len(deleted) < times and stage.name == next(iter(sweep.plans.values())).quantize.name:
            deleted.append(shutil.rmtree(work))
        return pretend(work, needs, stage)

    monkeypatch.setitem(BUILDS, "quantize", quantize)
    sweep.run(check=False)
    lost = 0 if times <= MAX_REMAKES else 2
    assert len(sweep.finished) == len(sweep.plans) - lost
    assert len(sweep.failed) == lost
    assert sweep.listener.told.count(("again", "quantize")) == min(times, MAX_REMAKES)


def test_a_stage_of_another_command_is_waited_for_while_others_are_made(sweep):
    plan = next(iter(sweep.plans.values()))
    stage = plan.quantize
    for before in (plan.dense, *plan.levels):
        run_stage(sweep.runs, plan.nodes[before])
    held, may_go = threading.Event(), threading.Event()

    def other():
        def slowly(work, needs):
            held.set()
            assert may_go.wait(20)
            save_arrays(work / paths.ARRAYS, {"number": np.full(1, 100.0)})
            return {}

        node = plan.nodes[stage]
        needs = {need.name: find(sweep.runs, need) for need in node.needs}
        make(sweep.runs, replace(node, build=slowly, args=()), needs)

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


def test_a_claim_is_one_processs(tmp_path):
    stage = Stage("dense", "d")
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

        def submit(self, function, runs, node):
            future = Future()
            if node.stage.name == first and left[0]:
                left[0] -= 1
                future.set_exception(WorkerLost("killed"))
            else:
                future.set_result(function(runs, node))
            return future

    sweep.run(Losing())
    lost = times > MAX_REMAKES
    assert sorted(sweep.finished) == sorted(list(sweep.plans)[2 * lost :])
    assert len(sweep.failed) == 2 * lost


def test_an_interruption_is_noted_and_resumed(sweep, monkeypatch):
    with monkeypatch.context() as context:
        context.setitem(BUILDS, "quantize", failing(KeyboardInterrupt()))
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
    other = Plan((5, 8), 16)
    sweep.plans = {other.point: other}
    assert sweep.run() == {"encode": 1, "evaluate": 1}


def test_a_full_disk_ends_the_command_though_its_log_takes_no_line(sweep, monkeypatch):
    """Another stage runs when one fails: the engine is closed and the failure is the one that is told."""
    last = list(sweep.plans.values())[-1].pruned.name

    class TwoAtOnce:
        n_jobs, closed = 2, False

        def close(self, now=False):
            self.closed = now

        def submit(self, function, runs, node):
            future = Future()
            # The last level of pruning stays under way.
            if node.stage.name != last:
                future.set_result(function(runs, node))
            return future

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def quantize(work, needs, stage):
        monkeypatch.setattr(schedule, "log_event", full)
        raise OSError(errno.ENOSPC, "the quantized model")

    monkeypatch.setitem(BUILDS, "quantize", quantize)
    engine = TwoAtOnce()
    with pytest.raises(Stopped, match="the quantized model"):
        sweep.run(engine)
    assert engine.closed
    assert sweep.listener.running == [last]


def test_an_artifact_that_appears_between_two_looks_is_no_damage(tmp_path, monkeypatch):
    """Another command renames a finished directory into place while this one looks for it."""
    runs, plan = tmp_path / "runs", Plan((5,), 12)
    stage = plan.dense
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    make(runs, plan.nodes[stage], {})
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
        (LayerError("fc1 has no weights"), False),
    ],
)
def test_only_what_would_refuse_all_stages_is_the_systems(sweep, monkeypatch, error, of_system):
    plan = next(iter(sweep.plans.values()))
    for stage in plan.stages[: plan.stages.index(plan.quantize)]:
        run_stage(sweep.runs, plan.nodes[stage])
    monkeypatch.setitem(BUILDS, "quantize", failing(error))
    failure = run_stage(sweep.runs, plan.nodes[plan.quantize])
    users = isinstance(error, UserError)
    assert (failure.of_system, failure.ours) == (of_system, not (of_system or users))
    assert type(failure.raised) is type(error)


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
        run_stage(sweep.runs, plans[0].nodes[before])
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        assert seconds > 0
        if len(naps) == 1:  # the first stage that is waited for is finished by its command
            first.close()
            run_stage(sweep.runs, plans[0].nodes[plans[0].quantize])
        if len(naps) > 3:
            second.close()

    # A clock that only naps move, so that no moment passes by itself.
    monkeypatch.setattr(schedule.time, "sleep", sleep)
    monkeypatch.setattr(schedule.time, "monotonic", lambda: 10.0 + sum(naps))
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

        def submit(self, function, runs, node):
            future = Future()
            if node.stage.name == first.name:
                future.set_exception(WorkerLost("killed"))
            else:
                future.set_result(function(runs, node))
            return future

    sweep.run(Losing())
    assert sweep.listener.told.count(("again", "quantize")) == MAX_REMAKES
    assert ("failed", "quantize", 2) in sweep.listener.told
    events = [json.loads(line) for line in paths.stage_log(sweep.runs).read_text().splitlines()]
    assert [(e["name"], e["error"]) for e in events if e["event"] == "failed"] == [(first.name, "killed")]


def test_a_stage_found_bad_too_often_drops_what_rests_on_it(sweep, monkeypatch):
    plan = next(iter(sweep.plans.values()))

    def evaluate(work, needs, stage):
        if stage.name == plan.evaluate.name:
            shutil.rmtree(paths.artifact_dir(sweep.runs, "encode", plan.encode.name))
        return pretend(work, needs, stage)

    monkeypatch.setitem(BUILDS, "evaluate", evaluate)
    sweep.run()
    assert [point for point, _ in sweep.failed] == [plan.point]
    assert sorted(sweep.finished) == sorted(set(sweep.plans) - {plan.point})
