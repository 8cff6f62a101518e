"""The loop: resumes to the same bits, chooses by validation, keeps what it is asked to keep."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from resuming import Killed, assert_same, kill_after, same_arrays

from xorjax.data import Split
from xorjax.pipeline.mask import straight_through
from xorjax.train import TrainingError, evaluate, loop, train
from xorjax.train.checkpoint import CheckpointError, Checkpoints


@pytest.fixture(scope="session")
def whole(recipe, params, splits, tmp_path_factory):
    """The uninterrupted run."""
    work_dir = tmp_path_factory.mktemp("whole")
    masks = dict.fromkeys(params)
    return train(recipe, params, {}, masks, *splits, work_dir, keep_epochs=(0, 2)), work_dir


def run(recipe, params, splits, work_dir, **others):
    return train(recipe, params, {}, dict.fromkeys(params), *splits, work_dir, keep_epochs=(0, 2), **others)


def epochs_in(metrics):
    return [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()]


def test_it_learns(whole):
    result, _ = whole
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"] / 3
    assert result.history[-1]["train_metric"] > 0.8
    assert result.validation_metric > 0.3


def test_a_line_an_epoch(whole, recipe):
    result, work_dir = whole
    lines = (work_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result.history
    assert [(row["epoch"], row["step"]) for row in result.history] == [(1, 3), (2, 6), (3, 9), (4, 12)]
    keys = {
        "train_loss",
        "train_metric",
        "validation_loss",
        "validation_metric",
        "learning_rate",
        "metric",
    }
    assert result.history[0].keys() == keys | {"epoch", "step"}
    assert result.history[-1]["learning_rate"] < result.history[0]["learning_rate"]


def test_the_chosen_epoch_is_the_first_of_the_best(whole, recipe, params, splits):
    result, _ = whole
    accuracies = [row["validation_metric"] for row in result.history]
    assert result.best_epoch == accuracies.index(max(accuracies)) + 1
    assert result.validation_metric == max(accuracies)
    _, metric = evaluate(recipe.forward, result.params, {}, dict.fromkeys(params), splits[1])
    assert metric == result.validation_metric


def test_ties_go_to_the_earliest(recipe, params, splits, tmp_path, monkeypatch):
    accuracies = iter([0.5, 0.75, 0.75, 0.5])
    monkeypatch.setattr(loop, "evaluate", lambda *args: (1.0, next(accuracies)))
    result = train(recipe, params, {}, dict.fromkeys(params), *splits, tmp_path, keep_epochs=(2,))
    assert result.best_epoch == 2
    assert same_arrays(result.params, result.kept[2].params)


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_killed_after_any_epoch_it_resumes_to_the_same_bits(whole, recipe, params, splits, tmp_path, epoch):
    with pytest.raises(Killed):
        run(recipe, params, splits, tmp_path, on_epoch=kill_after(epoch))
    seen = []
    assert_same(run(recipe, params, splits, tmp_path, on_epoch=seen.append), whole[0])
    assert [row["epoch"] for row in seen] == [1, 2, 3, 4]
    assert epochs_in(tmp_path / "metrics.jsonl") == [1, 2, 3, 4]


def largest_half(seen):
    """Chooses the larger half of fc2, and notes the weights that it is asked about."""

    def choose(params):
        size = np.abs(np.asarray(params["fc2/kernel"]))
        seen.append(np.array(params["fc2/kernel"]))
        return dict.fromkeys(params) | {"fc2/kernel": jnp.asarray(size > np.median(size))}

    return choose


def test_masks_that_are_chosen_in_the_loop_resume_to_the_same_bits(recipe, params, splits, tmp_path):
    """Of 3 steps an epoch masks are chosen before the first and the third; what they remove learns on."""
    recipe = dataclasses.replace(
        recipe, forward=dataclasses.replace(recipe.forward, form=straight_through, all_move=True)
    )
    seen, again = [], []
    searched = run(recipe, params, splits, tmp_path / "whole", choose=largest_half(seen), choices=2)
    assert len(seen) == 2 * 4
    np.testing.assert_array_equal(seen[0], params["fc2/kernel"])
    smaller = np.abs(seen[0]) <= np.median(np.abs(seen[0]))
    assert (seen[1] != seen[0])[smaller].all()
    killed = {"choose": largest_half([]), "choices": 2, "on_epoch": kill_after(2)}
    with pytest.raises(Killed):
        run(recipe, params, splits, tmp_path / "killed", **killed)
    resumed = run(recipe, params, splits, tmp_path / "killed", choose=largest_half(again), choices=2)
    assert_same(resumed, searched)
    np.testing.assert_array_equal(again, seen[4:])


@dataclasses.dataclass(frozen=True)
class Changing:
    """Weights as they are; every step tells the share of the training that is over."""

    tell: Callable = print
    share: jax.Array | None = None

    def at(self, share):
        return dataclasses.replace(self, share=share)

    def __call__(self, params, masks):
        if self.share is not None:
            jax.debug.callback(self.tell, self.share)
        return params


def test_a_form_may_change_with_the_training(recipe, params, splits, tmp_path):
    """Of 4 epochs of 3 steps; a run that is resumed goes on with the form as it is by then."""
    seen = []
    form = Changing(lambda share: seen.append(round(12 * float(share))))
    recipe = dataclasses.replace(recipe, forward=dataclasses.replace(recipe.forward, form=form))
    with pytest.raises(Killed):
        run(recipe, params, splits, tmp_path, on_epoch=kill_after(2))
    run(recipe, params, splits, tmp_path)
    jax.effects_barrier()
    assert sorted(seen) == list(range(12))


@pytest.mark.parametrize("moment", ["train_step", "save", "append_metrics"])
def test_killed_within_an_epoch_it_resumes_to_the_same_bits(
    whole, recipe, params, splits, tmp_path, monkeypatch, moment
):
    original, calls = getattr(loop, moment), []

    def killed(*args, **kwargs):
        calls.append(1)
        if len(calls) == (8 if moment == "train_step" else 3):
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(loop, moment, killed)
        with pytest.raises(Killed):
            run(recipe, params, splits, tmp_path)
    # What a kill within a checkpoint leaves behind.
    (tmp_path / "checkpoints" / "3.orbax-checkpoint-tmp-7").mkdir()
    assert_same(run(recipe, params, splits, tmp_path), whole[0])
    assert epochs_in(tmp_path / "metrics.jsonl") == [1, 2, 3, 4]


def test_a_finished_run_is_not_repeated(whole, recipe, params, splits, monkeypatch):
    result, work_dir = whole
    monkeypatch.setattr(loop, "train_step", None)
    assert_same(run(recipe, params, splits, work_dir), result)


def test_only_the_newest_checkpoint_is_kept(whole):
    _, work_dir = whole
    assert [path.name for path in (work_dir / "checkpoints").iterdir() if path.name.isdigit()] == ["4"]
    with Checkpoints(work_dir / "checkpoints") as checkpoints:
        assert checkpoints.latest == 4


def test_kept_epochs_are_full_and_start_with_the_initial_parameters(whole, params):
    result, _ = whole
    assert list(result.kept) == [0, 2]
    assert same_arrays(result.kept[0].params, params)
    assert result.kept[2].params.keys() == params.keys()
    assert not np.array_equal(result.kept[2].params["fc2/kernel"], params["fc2/kernel"])


def test_frozen_layers_stay_and_the_rest_moves(whole, params):
    result, _ = whole
    moved = {key for key in params if not np.array_equal(result.params[key], params[key])}
    assert moved == {"fc2/kernel", "fc2/bias", "fc3/kernel", "fc3/bias"}


def test_the_callers_parameters_survive(whole, params):
    assert all(np.isfinite(np.asarray(value)).all() for value in params.values())


def test_masked_weights_stay(recipe, params, masks, splits, tmp_path):
    recipe = dataclasses.replace(recipe, optim=dataclasses.replace(recipe.optim, epochs=1))
    result = train(recipe, params, {}, masks, *splits, tmp_path)
    moved = np.asarray(result.params["fc2/kernel"] != params["fc2/kernel"])
    assert not moved[~np.asarray(masks["fc2/kernel"])].any()
    assert moved[np.asarray(masks["fc2/kernel"])].mean() > 0.9


def test_rewinding_starts_the_schedule_where_it_is_told(whole, recipe, params, splits, tmp_path, monkeypatch):
    original, steps = loop.train_step, []

    def spy(*args):
        steps.append(int(args[2].step))
        return original(*args)

    monkeypatch.setattr(loop, "train_step", spy)
    rewound = train(
        recipe, *whole[0].kept[2], dict.fromkeys(params), *splits, tmp_path, first_epoch=2, keep_epochs=(2,)
    )
    assert steps == [6, 7, 8, 9, 10, 11]
    assert [(row["epoch"], row["step"]) for row in rewound.history] == [(3, 9), (4, 12)]
    rates = [row["learning_rate"] for row in whole[0].history]
    assert [row["learning_rate"] for row in rewound.history] == rates[2:]
    assert same_arrays(rewound.kept[2].params, whole[0].kept[2].params)
    assert not same_arrays(rewound.params, whole[0].kept[2].params)


def test_a_rewound_run_resumes(recipe, params, splits, tmp_path):
    masks = dict.fromkeys(params)
    expected = train(recipe, params, {}, masks, *splits, tmp_path / "whole", first_epoch=1)
    with pytest.raises(Killed):
        train(recipe, params, {}, masks, *splits, tmp_path / "killed", first_epoch=1, on_epoch=kill_after(3))
    assert_same(train(recipe, params, {}, masks, *splits, tmp_path / "killed", first_epoch=1), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"form": lambda params, masks: params},
        {"optim": {"learning_rate": 2e-3}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_runs_checkpoint_is_dropped(whole, recipe, params, splits, tmp_path, change, capsys):
    shutil.copytree(whole[1], tmp_path / "work")
    differing = next(iter(change))
    if "optim" in change:
        change = {"optim": dataclasses.replace(recipe.optim, **change["optim"])}
    elif "form" in change:
        change = {"forward": dataclasses.replace(recipe.forward, **change)}
    other = dataclasses.replace(recipe, **change)
    assert_same(run(other, params, splits, tmp_path / "work"), run(other, params, splits, tmp_path / "new"))
    said = capsys.readouterr().err
    assert f"another run's ({differing} differ); the training restarts" in said


def largest_file(directory):
    return max(
        (path for path in directory.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(bytes(255 - byte for byte in path.read_bytes())),
    ],
    ids=["cut", "empty", "missing", "inverted"],
)
def test_a_damaged_checkpoint_is_dropped(whole, recipe, params, splits, tmp_path, damage, capsys):
    with pytest.raises(Killed):
        run(recipe, params, splits, tmp_path, on_epoch=kill_after(2))
    damage(largest_file(tmp_path / "checkpoints"))
    assert_same(run(recipe, params, splits, tmp_path), whole[0])
    assert "checkpoint 2 is damaged" in capsys.readouterr().err


def test_one_changed_bit_of_a_checkpoint_is_seen(whole, tmp_path):
    """Wherever it lies: read as it was written, or refused."""
    shutil.copytree(whole[1] / "checkpoints", tmp_path / "checkpoints")
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        arrays, info = checkpoints.restore(4)
    files = sorted(path for path in (tmp_path / "checkpoints" / "4").rglob("*") if path.is_file())
    random, n_refused = np.random.default_rng(0), 0
    for _ in range(40):
        path = files[random.integers(len(files))]
        content = path.read_bytes()
        if not content:
            continue
        changed = bytearray(content)
        changed[random.integers(len(content))] ^= 1 << random.integers(8)
        path.write_bytes(changed)
        try:
            with Checkpoints(tmp_path / "checkpoints") as checkpoints:
                again = checkpoints.restore(4)
            assert again[1] == info
            assert jax.tree.all(jax.tree.map(np.array_equal, again[0], arrays))
        except CheckpointError:
            n_refused += 1
        path.write_bytes(content)
    assert n_refused > 30


def test_a_checkpoint_being_written_is_whole_when_ctrl_c_comes(tmp_path):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        save, main = checkpoints._manager.save, threading.main_thread()

        def interrupted(position, args):
            time.sleep(0.3)  # until it is waited for
            signal.pthread_kill(main.ident, signal.SIGINT)
            time.sleep(0.3)
            save(position, args=args)

        checkpoints._manager.save = interrupted
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(1, {"a": np.arange(3)}, {"epoch": 1})
        assert checkpoints.latest == 1
        assert checkpoints.restore(1)[1] == {"epoch": 1}


def formed(recipe, form):
    return dataclasses.replace(recipe, forward=dataclasses.replace(recipe.forward, form=form))


def test_a_layer_of_zeros_has_collapsed(recipe, params, splits, tmp_path):
    dead = formed(recipe, lambda params, masks: params | {"fc2/kernel": 0 * params["fc2/kernel"]})
    masks = dict.fromkeys(params) | {"fc2/kernel": jnp.ones_like(params["fc2/kernel"], bool)}
    with pytest.raises(
        TrainingError, match=r"fc2/kernel has collapsed: .* in epoch 1, step \d+ \(train_loss"
    ):
        train(dead, params, {}, masks, *splits, tmp_path)


def test_a_layer_that_says_the_same_of_every_image_has_collapsed(recipe, params, splits, tmp_path):
    dead = formed(recipe, lambda params, masks: params | {"fc2/bias": params["fc2/bias"] - 1e6})
    with pytest.raises(
        TrainingError, match="fc2 has collapsed: its output is the same for every example, in epoch 1"
    ):
        train(dead, params, {}, dict.fromkeys(params), *splits, tmp_path)


def test_a_loss_that_is_not_finite_names_its_step(recipe, params, splits, tmp_path):
    split, validation = splits
    inputs = split.inputs.copy()
    inputs[:] = np.nan
    with pytest.raises(TrainingError, match="not finite in epoch 2, step 4"):
        train(
            recipe,
            params,
            {},
            dict.fromkeys(params),
            Split(inputs, split.targets),
            validation,
            tmp_path,
            first_epoch=1,
        )
    assert not (tmp_path / "metrics.jsonl").read_text()


@pytest.mark.parametrize("first_epoch", [-1, 4, 5])
def test_nothing_to_train_is_refused(recipe, params, splits, tmp_path, first_epoch):
    with pytest.raises(ValueError, match=f"first_epoch is {first_epoch}, expected .* below optim.epochs 4"):
        train(recipe, params, {}, dict.fromkeys(params), *splits, tmp_path, first_epoch=first_epoch)


def test_epochs_outside_the_run_cannot_be_kept(recipe, params, splits, tmp_path):
    with pytest.raises(ValueError, match=r"keep_epochs \[0, 5\] lie outside the run's epochs 1 to 4"):
        train(
            recipe, params, {}, dict.fromkeys(params), *splits, tmp_path, first_epoch=1, keep_epochs=(0, 1, 5)
        )


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import examples, make_recipe
from xorjax.models import create_model
from xorjax.train import train

params = create_model("lenet300", 0)[1]

def on_epoch(row):
    if row["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)

splits = examples(48, 0), examples(20, 1, noise=1.5)
masks, work = dict.fromkeys(params), Path(sys.argv[1])
train(make_recipe(), params, {}, masks, *splits, work, keep_epochs=(0, 2), on_epoch=on_epoch)
"""


def test_another_process_resumes_what_was_really_killed(whole, recipe, params, splits, tmp_path):
    command = [sys.executable, "-c", KILLED_RUN, str(tmp_path), str(Path(__file__).parent)]
    killed = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert_same(run(recipe, params, splits, tmp_path), whole[0])


def test_parameters_returned_are_arrays_of_jax(whole):
    assert all(isinstance(value, jnp.ndarray) for value in whole[0].params.values())
