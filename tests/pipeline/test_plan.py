from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from xorjax.config.schema import Config, MaskConfig, PruneConfig, ScheduleConfig, XorConfig
from xorjax.pipeline.plan import frozen_blocks, make_plan

BASE = Config(
    freeze=("conv*",),
    prune=PruneConfig(schedule=ScheduleConfig("linear", 0.5, 0.8, 2), through=(0.9, 0.95, 0.98)),
)


def point(rate=0.95, n_in=20, seed=0, **changes):
    return replace(BASE, seed=seed, prune=replace(BASE.prune, rate=rate), xor=XorConfig(n_in=n_in), **changes)


def kinds(configs):
    """How many distinct artifacts of each kind the points need."""
    names = {(stage.kind, stage.name) for config in configs for stage in make_plan(config).stages}
    return Counter(kind for kind, _ in names)


def test_a_sweep_shares_what_its_points_have_in_common():
    sweep = [point(rate, n_in, seed) for rate, n_in, seed in product((0.9, 0.95, 0.98), (12, 20, 32), (0, 1))]
    # 5 levels: .5 and .8 of the schedule, then the three rates.
    assert kinds(sweep) == {
        "dense": 2,
        "prune": 2 * 5,
        "quantize": 2 * 3,
        "baselines": 2 * 3,
        "encode": 18,
        "evaluate": 18,
    }


@pytest.mark.parametrize(
    ("changed", "remade"),
    [
        (point(n_in=32), {"encode", "evaluate"}),
        (point(mask=MaskConfig("bitmap")), {"encode", "evaluate"}),
        (point(report="other"), set()),
        (point(freeze=("conv1", "conv2")), set()),
        (
            point(quantize=replace(BASE.quantize, scale="row")),
            {"quantize", "baselines", "encode", "evaluate"},
        ),
        (point(freeze=()), {"prune", "quantize", "baselines", "encode", "evaluate"}),
        (point(seed=1), {"dense", "prune", "quantize", "baselines", "encode", "evaluate"}),
        (point(data=replace(BASE.data, dir="elsewhere")), set()),
        (
            point(data=replace(BASE.data, n_train=100)),
            {"dense", "prune", "quantize", "baselines", "encode", "evaluate"},
        ),
    ],
)
def test_a_change_remakes_what_it_determines_and_all_after_it(changed, remade):
    before = {(stage.kind, stage.name) for stage in make_plan(point()).stages}
    after = {(stage.kind, stage.name) for stage in make_plan(changed).stages}
    assert {kind for kind, _ in after - before} == remade


def test_rewinding_to_weights_needs_a_dense_model_that_kept_them():
    rewind = replace(point(), prune=replace(point().prune, strategy="rewind"))
    learning_rate = replace(point(), prune=replace(point().prune, strategy="rewind_lr"))
    dense = {make_plan(config).dense.name for config in (point(), rewind, learning_rate)}
    assert make_plan(learning_rate).dense.name == make_plan(point()).dense.name
    assert len(dense) == 2
    # A level then repeats the dense schedule from the epoch it rewinds to.
    assert {level.epochs for level in make_plan(rewind).levels} == {rewind.optim.epochs - 1}


def test_rate_zero_has_no_level():
    assert make_plan(point(rate=0.0)).levels == ()


@pytest.mark.parametrize(
    ("freeze", "start"), [((), 0), (("conv1",), 1), (("conv*",), 2), (("conv2",), 0), (("conv1", "fc2"), 1)]
)
def test_only_a_frozen_prefix_is_computed_once(freeze, start):
    assert frozen_blocks(replace(BASE, freeze=freeze)) == start


def test_names_are_pinned():
    """A changed name makes every artifact on every disk anew: raise SCHEMA_VERSION if that is meant."""
    assert [stage.name for stage in make_plan(Config()).stages] == PINNED


PINNED = [
    "lenet5-mnist-seed0-2f7ff286a4",
    "lenet5-mnist-seed0-S0.5-f18cb9b565",
    "lenet5-mnist-seed0-S0.776393-7545dc1f3f",
    "lenet5-mnist-seed0-S0.9-fc0d0c9ebf",
    "lenet5-mnist-seed0-S0.95-91e1664bc7",
    "lenet5-mnist-seed0-S0.95-q1-48b806abaf",
    "lenet5-mnist-seed0-S0.95-q1-24f032fb6e",
    "lenet5-mnist-seed0-S0.95-q1-xor20x448-2c5f34ba20",
    "lenet5-mnist-seed0-S0.95-q1-xor20x448-8260e4b1f2",
]
