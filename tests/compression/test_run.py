"""Shard by shard: equal to the whole, final when made, resumed, refused when anything changed, shared by two."""

import json
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from checkpoints import LAYERS, SHARDS, tensors, write_checkpoint, write_masks

from xorjax import paths
from xorjax.artifacts import schedule
from xorjax.artifacts.claims import claim
from xorjax.artifacts.run import Busy, Failure, run_stage
from xorjax.artifacts.schedule import MAX_REMAKES
from xorjax.codec.signs import SignsCode
from xorjax.codec.xor import XorCode
from xorjax.compression import CompressSpec, Mapped, compress, compress_shards, make_cut, open_checkpoint
from xorjax.compression.directory import work_of
from xorjax.compression.shard import progress_of, shard_node
from xorjax.container import decode_weights, load, save
from xorjax.container.index import load_shard, read_index, verify_shard
from xorjax.engines import Processes, Serial, WorkerLost

SPEC = CompressSpec(layers=("*.weight",), prune_rate=0.8, code=XorCode(n_in=12), scale="row")


@pytest.fixture
def source(tmp_path):
    return write_checkpoint(tmp_path / "in")


def files_of(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def node_of(source, out, number):
    cut = make_cut(source, SPEC)
    return shard_node(cut, out, cut.shards[number], "")


def compress_again(cut, out, number):
    """As a worker of the command that was begun with `cut` does with one of its shards."""
    result = run_stage(work_of(out.absolute()), shard_node(cut, out, cut.shards[number], ""))
    if isinstance(result, Failure):
        raise result.raised
    return result


def states(records):
    return [record["state"] for record in records]


def run(source, out, spec=SPEC, engine=Serial, **settings):
    return compress_shards(make_cut(source, spec), out, engine, **settings)


def check_equal_to_the_whole(out, spec=SPEC):
    """Weights, streams and kept tensors are those of the model compressed at once."""
    whole = compress(tensors(), spec)
    (found,) = out.glob("*.xorjax.index.json")
    index = read_index(found)
    assert index.places.keys() == whole.layers.keys() | whole.params.keys()
    for file in index.files:
        assert verify_shard(index, file)
        shard = load_shard(index, file)
        for name, layer in shard.layers.items():
            assert np.array_equal(decode_weights(layer), decode_weights(whole.layers[name]))
            of_whole = whole.layers[name].values.streams
            assert layer.values.streams.keys() == of_whole.keys()
            assert all(np.array_equal(stream, of_whole[key]) for key, stream in layer.values.streams.items())
        for name, array in shard.params.items():
            assert array.dtype == whole.params[name].dtype
            assert np.array_equal(array, whole.params[name])
    return index


def test_a_sharded_checkpoint(source, tmp_path):
    out = tmp_path / "out"
    records = run(source, out)
    index = check_equal_to_the_whole(out)
    assert [record["file"] for record in records] == [f"{shard}.xorjax" for shard in SHARDS]
    assert states(records) == ["made"] * 3
    assert index.name == "model"
    assert index.settings["prune_rate"] == 0.8
    assert load(out / "model-00001-of-00003.xorjax").metadata == {"format": "pt"}
    assert not [path for path in out.rglob("*") if path.suffix in (".tmp", ".partial")]
    assert not list(out.rglob("progress"))


def test_a_shard_is_the_file_that_save_writes(source, tmp_path):
    run(source, tmp_path / "out")
    names = SHARDS["model-00002-of-00003"]
    model = compress({name: tensors()[name] for name in names}, SPEC, {"format": "pt"})
    save(tmp_path / "alone", model)
    written = (tmp_path / "out" / "model-00002-of-00003.xorjax").read_bytes()
    assert written == (tmp_path / "alone").read_bytes()


def test_one_file_is_cut(source, tmp_path):
    from xorjax.container.tensors import to_bytes

    one = tmp_path / "one.safetensors"
    one.write_bytes(to_bytes(tensors(), {}))
    cut = make_cut(one, SPEC, shard_bytes=45_000)
    compress_shards(cut, tmp_path / "out", Serial)
    assert [shard.layers for shard in cut.shards] == [LAYERS[:2], LAYERS[2:4], LAYERS[4:]]
    assert cut.shards[0].file == "one-00001-of-00003.xorjax"
    check_equal_to_the_whole(tmp_path / "out")
    assert len(make_cut(one, SPEC, shard_bytes=1).shards) == len(tensors())
    with pytest.raises(ValueError, match=r"it has shards of its own"):
        make_cut(source, SPEC, shard_bytes=1000)
    with pytest.raises(ValueError, match="begun with shard_bytes 45000, not 50000"):
        compress_shards(make_cut(one, SPEC, shard_bytes=50_000), tmp_path / "out", Serial)


def test_masks(source, tmp_path):
    masks = write_masks(tmp_path / "masks.safetensors")
    checkpoint = open_checkpoint(masks)
    spec = replace(SPEC, prune_rate=None, masks=Mapped(checkpoint, tuple(checkpoint)))
    compress_shards(make_cut(source, spec, masks), tmp_path / "out", Serial)
    check_equal_to_the_whole(tmp_path / "out", spec)
    os.utime(masks, ns=(1, 1))
    with pytest.raises(ValueError, match=r"input masks/masks.safetensors has changed .*written since"):
        compress_shards(make_cut(source, spec, masks), tmp_path / "out", Serial)


def test_processes_give_the_same_bytes(source, tmp_path):
    run(source, tmp_path / "serial")
    told = []
    run(
        source,
        tmp_path / "processes",
        engine=lambda: Processes(1),
        tell=lambda shard, done, record: told.append((shard.name, done)),
    )
    assert files_of(tmp_path / "serial") == files_of(tmp_path / "processes")
    assert {name for name, done in told if done == 1.0} == SHARDS.keys()


class Stopping:
    """An engine that is stopped after some tasks, as by Ctrl-C or a crash."""

    n_jobs = 1

    def __init__(self, n, error=KeyboardInterrupt):
        self.left, self.error, self.closed = n, error, None

    def submit(self, function, *args):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return Serial().submit(function, *args)

    def close(self, now=False):
        self.closed = now


def test_goes_on_where_it_was_stopped(source, tmp_path):
    run(source, tmp_path / "whole")
    out = tmp_path / "out"
    engine = Stopping(2)
    with pytest.raises(KeyboardInterrupt):
        run(source, out, engine=lambda: engine)
    assert engine.closed is True
    assert not list(out.glob("*.json"))
    (out / ".model-00003-of-00003.xorjax.abcd0123.tmp").write_bytes(b"half")
    node = node_of(source, out, 2)
    partial = paths.partial_dir(work_of(out), node.stage.kind, node.stage.name)
    partial.mkdir()
    (partial / "progress").write_text("0.5")
    assert progress_of(out, node) == 0.5
    assert states(run(source, out)) == ["found", "found", "made"]
    assert files_of(out) == files_of(tmp_path / "whole")
    assert states(run(source, out)) == ["found"] * 3


def test_what_is_damaged_or_gone_is_made_again(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)
    before = files_of(out)
    path = out / "model-00002-of-00003.xorjax"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    (out / "model-00003-of-00003.xorjax").unlink()
    (out / "model.xorjax.index.json").unlink()
    stage = node_of(source, out, 0).stage
    (paths.artifact_dir(work_of(out), stage.kind, stage.name) / paths.ARTIFACT).write_text("{")
    assert states(run(source, out)) == ["made", "damaged", "missing"]
    assert files_of(out) == before


def test_another_setting_is_refused_by_name(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)
    before = files_of(out)
    for spec, message in (
        (replace(SPEC, prune_rate=0.7), r"begun with prune_rate 0.8, not 0.7; --force starts anew"),
        (replace(SPEC, skip=("a.*",)), r'begun with skip \[\], not \["a\.\*"\]'),
        (replace(SPEC, code=XorCode(n_in=12, n_out=96)), "begun with code.n_out null, not 96"),
        (replace(SPEC, code=SignsCode()), 'begun with code "xor", not "signs"'),
        (replace(SPEC, per_layer={"a*": {"code": SignsCode()}}), "begun with per_layer {}, not "),
    ):
        with pytest.raises(ValueError, match=message):
            run(source, out, spec)
    assert files_of(out) == before
    assert states(run(source, out, replace(SPEC, prune_rate=0.7), force=True)) == ["made"] * 3
    check_equal_to_the_whole(out, replace(SPEC, prune_rate=0.7))


def test_another_input_is_refused_by_name(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)
    path = source / "model-00002-of-00003.safetensors"
    data = path.read_bytes()
    os.utime(path, ns=(1, 1))
    with pytest.raises(ValueError, match=r"the input model-00002-of-00003.safetensors has changed .*written"):
        run(source, out)
    path.write_bytes(data.replace(b'"pt"', b'"xy"'))
    with pytest.raises(ValueError, match=r"its header is another"):
        run(source, out)
    shutil.copytree(source, tmp_path / "moved")
    (tmp_path / "moved" / "model-00002-of-00003.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"has changed"):
        run(tmp_path / "moved", out)


def test_the_input_may_lie_elsewhere(source, tmp_path):
    run(source, tmp_path / "out")
    source.rename(tmp_path / "moved")
    assert states(run(tmp_path / "moved", tmp_path / "out")) == ["found"] * 3


def test_an_input_that_changes_under_way_is_refused(source, tmp_path):
    out = tmp_path / "out"
    cut = make_cut(source, SPEC)
    with suppress(KeyboardInterrupt):
        run(source, out, engine=lambda: Stopping(1))
    os.utime(source / "model-00002-of-00003.safetensors", ns=(1, 1))
    with pytest.raises(ValueError, match="has changed since the command was begun"):
        compress_again(cut, out, 1)
    assert not (out / cut.shards[1].file).exists()


def test_masks_that_change_under_way_are_refused(source, tmp_path):
    masks, out = write_masks(tmp_path / "masks.safetensors"), tmp_path / "out"
    checkpoint = open_checkpoint(masks)
    cut = make_cut(source, replace(SPEC, prune_rate=None, masks=Mapped(checkpoint, tuple(checkpoint))), masks)
    with suppress(KeyboardInterrupt):
        compress_shards(cut, out, lambda: Stopping(1))
    os.utime(masks, ns=(1, 1))
    with pytest.raises(ValueError, match=r"masks.safetensors: it has changed since the command was begun"):
        compress_again(cut, out, 1)
    assert not (out / cut.shards[1].file).exists()


def test_what_is_wrong_is_refused_before_any_work(source, tmp_path):
    masks = write_masks(tmp_path / "masks.safetensors")
    some = Mapped(open_checkpoint(masks), LAYERS[:4])
    for spec, message in (
        (replace(SPEC, layers=("*.wieght",)), r"'\*\.wieght' matches none of 8 tensors"),
        (replace(SPEC, layers=("table",)), "tensor 'table' has dtype int64"),
        (replace(SPEC, layers=("a.*",)), "tensor 'a.bias' has shape"),
        (replace(SPEC, prune_rate=None, masks=some), "tensor 'e.weight' has no mask"),
    ):
        with pytest.raises(ValueError, match=message):
            make_cut(source, spec, masks if spec.masks is not None else None)


def test_a_directory_of_something_else_is_refused(source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out: it is not empty and holds no compressed shards"):
        run(source, out)
    run(source, out, force=True)
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="it is a file, expected a directory"):
        run(source, out / "notes.txt")


def test_weights_that_are_not_finite_stop_it(source, tmp_path):
    from xorjax.container.tensors import to_bytes

    bad = {name: tensors()[name] for name in SHARDS["model-00002-of-00003"]}
    bad["d.weight"][3, 4] = np.nan
    (source / "model-00002-of-00003.safetensors").write_bytes(to_bytes(bad, {}))
    with pytest.raises(ValueError, match=r"tensor 'd.weight': 1 weight is NaN"):
        run(source, tmp_path / "out")
    assert not (tmp_path / "out" / "model-00002-of-00003.xorjax").exists()


def test_another_makes_a_shard(source, tmp_path):
    """The shard that is held is waited for, and the others are made meanwhile."""
    out = tmp_path / "out"
    cut = make_cut(source, SPEC)
    with suppress(KeyboardInterrupt):
        run(source, out, engine=lambda: Stopping(0))
    lock = claim(work_of(out), node_of(source, out, 0).stage)
    held, free = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            free.wait(60)

    made = []

    def tell(shard, done, record):
        if record:
            made.append(shard.name)
        if len(made) == 2:
            free.set()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    with pytest.raises(ValueError, match=r"another command is making model-00001-of-00003.xorjax"):
        run(source, out, replace(SPEC, code=XorCode(n_in=14)), force=True)
    waited_for = []
    records = compress_shards(
        cut, out, Serial, tell, tell_waiting=lambda shard, who: waited_for.append((shard.name, who))
    )
    thread.join()
    ((name, who),) = waited_for
    assert name == cut.shards[0].name
    assert who.startswith(f"process {os.getpid()} on ")
    assert made[-1] == cut.shards[0].name
    assert states(records) == ["made"] * 3


def test_begun_anew_by_another(source, tmp_path):
    out = tmp_path / "out"
    old = make_cut(source, SPEC)
    run(source, out)
    run(source, out, replace(SPEC, code=XorCode(n_in=14)), force=True)
    with pytest.raises(ValueError, match="another command began it anew"):
        compress_again(old, out, 0)


def test_a_lost_worker_leaves_the_others(source, tmp_path):
    class Losing(Stopping):
        def submit(self, function, *args):
            future = Serial().submit(function, *args)
            if "model-00002-of-00003" in args[1].stage.name:
                future = Serial().submit(lose)
            return future

    def lose():
        raise WorkerLost("the worker process ended without an answer")

    out, again = tmp_path / "out", []
    with pytest.raises(WorkerLost, match=r"1 of 3 shards were not made \(model-00002-of-00003.xorjax: the"):
        run(
            source,
            out,
            engine=lambda: Losing(-1),
            tell_again=lambda shard, reason: again.append((shard.name, reason)),
        )
    assert again == [("model-00002-of-00003", "the worker process ended without an answer")] * MAX_REMAKES
    assert not list(out.glob("*.json"))
    assert (out / "model-00003-of-00003.xorjax").exists()
    records = run(source, out)
    assert len(json.loads((out / "model.xorjax.index.json").read_text())["files"]) == len(records) == 3


def test_the_last_shard_that_another_makes_is_asked_for_now_and_then(source, tmp_path, monkeypatch):
    asked = []

    class Others(Stopping):
        def submit(self, function, *args):
            asked.append(args[1].stage.name[: len("model-00003-of-00003")])
            if asked[-1] == "model-00003-of-00003" and len(asked) < 3 + 4:
                function, args = Busy, ("process 1 on here",)
            return Serial().submit(function, *args)

    slept = []
    monkeypatch.setattr(schedule.time, "sleep", slept.append)
    # A clock that only naps move, so that no moment passes by itself.
    monkeypatch.setattr(schedule.time, "monotonic", lambda: 10.0 + sum(slept))
    assert states(run(source, tmp_path / "out", engine=lambda: Others(-1))) == ["made"] * 3
    assert asked[3:] == ["model-00003-of-00003"] * 4
    assert slept == pytest.approx([0.2, 0.4, 0.8, 1.6])


def test_force_leaves_what_is_not_of_the_directory(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)
    (out / "mine.xorjax.index.json").write_text("{}")
    (out / "mine.xorjax").write_text("mine")
    renamed = source / "other.safetensors.index.json"
    (source / "model.safetensors.index.json").rename(renamed)
    assert states(run(source, out, replace(SPEC, code=XorCode(n_in=14)), force=True)) == ["made"] * 3
    indices = {path.name for path in out.glob("*.xorjax.index.json")}
    assert indices == {"mine.xorjax.index.json", "other.xorjax.index.json"}
    assert (out / "mine.xorjax").read_text() == "mine"


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": {}}', None])
def test_force_replaces_a_plan_that_is_damaged(source, tmp_path, text):
    """And all that was made under it, since nobody knows with which settings."""
    out = tmp_path / "out"
    run(source, out)
    plan = work_of(out) / "plan.json"
    plan.unlink() if text is None else plan.write_text(text)
    with pytest.raises(ValueError, match="--force"):
        run(source, out)
    spec = replace(SPEC, code=XorCode(n_in=14))
    assert states(run(source, out, spec, force=True)) == ["made"] * 3
    check_equal_to_the_whole(out, spec)
    assert states(run(source, out, spec)) == ["found"] * 3
