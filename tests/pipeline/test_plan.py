import json
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from itertools import product
from operator import attrgetter

import pytest

from xorjax import paths
from xorjax.codec.signs import SignsCode
from xorjax.codec.xor import XorCode
from xorjax.config.checks import OPTIMS
from xorjax.config.reads import not_determining
from xorjax.config.schema import Config, MaskConfig, OptimConfig, PruneConfig, ScheduleConfig
from xorjax.merge import changed
from xorjax.models import create_model
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.plan_file import write_plan
from xorjax.pipeline.point import titles
from xorjax.pipeline.training import frozen_blocks
from xorjax.settings import leaves, stated

BASE = Config(
    freeze=("conv*",),
    prune=PruneConfig(schedule=ScheduleConfig("linear", 0.5, 0.8, 2), through=(0.9, 0.95, 0.98)),
)

REFERENCE = {"unpruned", "reference"}
ALL = {"dense", *REFERENCE, "prune", "quantize", "baselines", "encode", "evaluate"}


def point(rate=0.95, n_in=20, seed=0, **changes):
    changes = {"code": XorCode(n_in=n_in), "prune": replace(BASE.prune, rate=rate)} | changes
    return replace(BASE, seed=seed, **changes)


def kinds(configs):
    """How many distinct artifacts of each kind the points need."""
    names = {(stage.kind, stage.name) for config in configs for stage in make_plan(config).stages}
    return Counter(kind for kind, _ in names)


def test_a_sweep_shares_what_its_points_have_in_common():
    sweep = [point(rate, n_in, seed) for rate, n_in, seed in product((0.9, 0.95, 0.98), (12, 20, 32), (0, 1))]
    # 5 levels: .5 and .8 of the schedule, then the three rates.
    assert kinds(sweep) == {
        "dense": 2,
        "unpruned": 2 * 5,
        "reference": 2 * 3,
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
        (point(freeze=()), ALL - {"dense"}),
        (
            point(quantize=replace(BASE.quantize, optim=OptimConfig(epochs=2))),
            ALL - {"dense", "unpruned", "prune"},
        ),
        (point(prune=replace(BASE.prune, rate=0.95, optim=OptimConfig(epochs=2))), ALL - {"dense"}),
        # What is pruned, and how it is chosen, is nothing to a model that is not.
        (point(prune=replace(BASE.prune, rate=0.95, score="outgoing")), ALL - {"dense", *REFERENCE}),
        (point(prune=replace(BASE.prune, rate=0.95, layers=("fc*",))), ALL - {"dense", *REFERENCE}),
        (point(seed=1), ALL),
        (point(data=replace(BASE.data, dir="elsewhere")), set()),
        (point(data=replace(BASE.data, name="fashion_mnist")), ALL),
        (point(model=replace(BASE.model, name="lenet300")), ALL),
        (
            point(data=replace(BASE.data, n_train=100)),
            ALL,
        ),
    ],
)
def test_a_change_remakes_what_it_determines_and_all_after_it(changed, remade):
    before = {(stage.kind, stage.name) for stage in make_plan(point()).stages}
    after = {(stage.kind, stage.name) for stage in make_plan(changed).stages}
    assert {kind for kind, _ in after - before} == remade


def test_rewinding_to_weights_needs_a_dense_model_that_kept_them():
    rewind, learning_rate = strategy("rewind"), strategy("rewind_lr")
    dense = {make_plan(config).dense.name for config in (point(), rewind, learning_rate)}
    assert make_plan(learning_rate).dense.name == make_plan(point()).dense.name
    assert len(dense) == 2
    # A level then repeats the dense schedule from the epoch it rewinds to.
    assert {level.epochs for level in make_plan(rewind).levels} == {rewind.optim.epochs - 1}


def test_rate_zero_has_no_level():
    plan = make_plan(point(rate=0.0))
    assert (plan.levels, plan.unpruned) == ((), ())
    assert plan.needs(plan.reference) == (plan.dense,)
    assert plan.epochs == plan.dense.epochs + plan.quantize.epochs


def test_the_reference_has_the_trainings_of_its_point():
    masks = (MaskConfig("lowrank", rounds=3), MaskConfig("lowrank", rounds=3, search="loop"))
    for config in (point(), *(point(mask=mask) for mask in masks), strategy("rewind_lr")):
        plan = make_plan(config)
        epochs = sum(stage.epochs for stage in (plan.dense, *plan.unpruned, plan.reference))
        assert epochs == plan.epochs
    # Each level goes back to the same early weights: without pruning all are one.
    assert len(make_plan(strategy("rewind")).unpruned) == 1


def test_references_are_shared_by_their_number_of_trainings():
    plan, masked = make_plan(point()), make_plan(point(mask=MaskConfig("lowrank", rounds=3)))
    assert len(plan.unpruned) == len(masked.unpruned) == 4
    assert (plan.unpruned, plan.reference) == (masked.unpruned, masked.reference)
    assert make_plan(point(rate=0.9)).unpruned == plan.unpruned[:3]


def strategy(name):
    return point(prune=replace(BASE.prune, rate=0.95, strategy=name))


@pytest.mark.parametrize(
    ("freeze", "start"), [((), 0), (("conv1",), 1), (("conv*",), 2), (("conv2",), 0), (("conv1", "fc2"), 1)]
)
def test_only_a_frozen_prefix_is_computed_once(freeze, start):
    network, _, _ = create_model("lenet5", 0)
    assert frozen_blocks(replace(BASE, freeze=freeze), network) == start


def names(config):
    return [stage.name for stage in make_plan(config).stages]


def by_layer(rule, **changes):
    """Two pruned layers, of which fc2 has settings of its own."""
    prune = replace(point().prune, layers=("fc*",))
    return replace(point(), prune=prune, per_layer=(("fc2", tuple(rule.items())),), **changes)


def test_a_trajectory_runs_to_the_largest_rate_of_a_layer():
    levels = make_plan(by_layer({"prune.rate": 0.85})).levels
    assert [(level.rate("fc1"), level.rate("fc2")) for level in levels] == [
        *((0.5, 0.5), (0.8, 0.8)),
        *((0.9, 0.85), (0.95, 0.85)),
    ]
    # Until the rates part, the levels are those of a trajectory without rules.
    alike = make_plan(by_layer({})).levels
    assert [a.name == b.name for a, b in zip(levels, alike, strict=True)] == [True, True, False, False]
    larger = make_plan(by_layer({"prune.rate": 0.98})).levels
    assert [(level.rate("fc1"), level.rate("fc2")) for level in larger][3:] == [(0.95, 0.95), (0.95, 0.98)]


@pytest.mark.parametrize(
    ("rule", "remade"),
    [
        ({"code.n_in": 64}, {"encode", "evaluate"}),
        ({"code.id": "signs"}, {"encode", "evaluate"}),
        ({"mask.codec": "bitmap"}, {"encode", "evaluate"}),
        ({"quantize.n_planes": 2}, {"quantize", "baselines", "encode", "evaluate"}),
        ({"code.n_in": 20}, set()),
        # Another layer has fewer bits already.
        ({"prune.rate": 0.85}, {"prune", "quantize", "baselines", "encode", "evaluate"}),
    ],
)
def test_a_rule_renames_the_stages_that_read_its_settings(rule, remade):
    before, after = (make_plan(by_layer(each)).stages for each in ({}, rule))
    assert {stage.kind for stage in after} - {stage.kind for stage in before} == set()
    assert {a.kind for a, b in zip(after, before, strict=True) if a.name != b.name} == remade


def test_how_a_rule_matches_its_layers_names_nothing():
    assert names(by_layer({"code.n_in": 64})) == names(
        replace(by_layer({}), per_layer=(("f*2", (("code.n_in", 64),)), ("fc2", (("code.n_in", 12),))))
    )


SETTINGS = {
    key: (hint, stated(own))
    for key, hint, own in leaves(Config)
    if key not in ("report", "per_layer", "model.name", "task.id", "data.name")
}
"""Of the others there is one choice, or several that do not go together; what names them is tested by themselves."""

OTHER = {
    "freeze": ("conv1",),
    "prune.layers": ("fc2",),
    "prune.through": (0.93,),
    "quantize.steepness_doubles": (0.5,),
    "seed": 7,
    "data.dir": "x",
    "data.cache_dir": "x",
    "paths.root": "x",
    "paths.runs": "x",
    "trackers": ("mlflow",),
    **{f"{optim}.drops": (0.4,) for optim in OPTIMS},
}
APPLYING = (
    *({}, {"code.slicing": "shuffled"}, {"code.patch_format": "blocked"}, {"prune.strategy": "rewind"}),
    *({"mask.codec": "lowrank"}, {"mask.codec": "lowrank", "mask.search": "loop"}),
    *({"task.augment": "shift"}, {"quantize.words": "latent"}),
    {"task.id": "language", "data.name": "ptb", "model.name": "lstm", "prune.layers": ("*",)},
    *({f"{optim}.distill": 0.5} for optim in OPTIMS),
    *({f"{optim}.schedule": "step"} for optim in OPTIMS),
)
"""Settings beside which others apply."""


def another(config, key):
    """A value that the setting may have and has not."""
    (hint, says), value = SETTINGS[key], attrgetter(key)(config)
    if key in OTHER:
        return OTHER[key]
    numbers = (3, 2, 1) if hint in (int, int | None) else (3.0, 0.7, 0.6, 0.3)
    values = says.choices or [number for number in numbers if number in says.allowed]
    return next(other for other in values if other != value)


def applies(config, key):
    of = config
    for name in key.split("."):
        says = [stated(field) for field in fields(of) if field.name == name] if is_dataclass(of) else []
        if any(each.applies is not None and not each.applies(of) for each in says):
            return False
        if not hasattr(of, name):
            return False
        of = getattr(of, name)
    return True


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_names_a_stage_or_is_said_to_determine_nothing(key):
    base = next(changed(Config(), each) for each in APPLYING if applies(changed(Config(), each), key))
    other = changed(base, {key: another(base, key)})
    assert attrgetter(key)(other) != attrgetter(key)(base)
    assert (names(other) == names(base)) == (key in not_determining())


def test_what_does_not_apply_names_nothing():
    assert names(Config(code=XorCode(slicing_seed=3, patch_block=8))) == names(Config())
    assert names(Config(mask=MaskConfig(rounds=3, seed=5))) == names(Config())
    assert names(Config(mask=MaskConfig("xor", choices=7))) == names(Config(mask=MaskConfig("xor")))


def test_names_are_pinned():
    """A changed name makes every artifact on every disk anew: raise SCHEMA_VERSION if that is meant."""
    assert names(Config()) == PINNED


def written(report, *configs, grow=False):
    plans = {plan.point: plan for plan in map(make_plan, configs)}
    write_plan(report, plans, dict.fromkeys(plans, "command"), "command", grow)
    return json.loads(paths.plan_file(report).read_text())


def test_a_plan_says_what_its_points_differ_in(tmp_path):
    configs = [point(rate, n_in) for rate in (0.9, 0.95) for n_in in (12, 20)]
    plan = written(tmp_path, *configs)
    assert plan["swept"] == {"prune.rate": [0.9, 0.95], "code.n_in": [12, 20]}
    assert [plan["details"][p]["values"] for p in plan["points"]] == [
        {"prune.rate": c.prune.rate, "code.n_in": c.code.n_in} for c in configs
    ]


def test_a_single_point_extends_what_a_plan_says(tmp_path):
    written(tmp_path, point(n_in=12), point(n_in=20))
    added = replace(point(n_in=20), quantize=replace(BASE.quantize, ste="identity"))
    plan = written(tmp_path, added)
    assert plan["swept"] == {"quantize.ste": ["clipped", "identity"], "code.n_in": [12, 20]}
    assert [plan["details"][p]["values"] for p in plan["points"]] == [
        {"quantize.ste": "clipped", "code.n_in": 12},
        {"quantize.ste": "clipped", "code.n_in": 20},
        {"quantize.ste": "identity", "code.n_in": 20},
    ]


def test_a_plan_of_several_codes_says_which(tmp_path):
    plan = written(
        tmp_path, point(), replace(point(), code=SignsCode()), report_of(by_layer({"code.n_in": 12}))
    )
    assert plan["swept"]["code.id"] == ["xor", "signs"]
    assert plan["swept"]["per_layer"] == [{}, {"fc2": {"code.n_in": 12}}]
    assert "code.n_in" not in plan["swept"]


def report_of(config):
    return replace(config, report="other", paths=replace(config.paths, runs="elsewhere"))


def test_titles_tell_points_apart():
    configs = [
        point(),
        point(code=XorCode(n_in=20, n_out=192)),
        point(code=SignsCode()),
        replace(point(), quantize=replace(BASE.quantize, ste="identity")),
    ]
    plans = {plan.point: plan for plan in map(make_plan, configs)}
    assert list(titles(plans).values()) == [
        "S 0.95, xor, n_in 20, seed 0, quantize.ste=clipped",
        "S 0.95, xor, n_in 20, n_out 192, seed 0",
        "S 0.95, signs, seed 0",
        "S 0.95, xor, n_in 20, seed 0, quantize.ste=identity",
    ]


PINNED = [
    "lenet5-mnist-seed0-071f478e0b",
    "lenet5-mnist-seed0-unpruned1-a27af62261",
    "lenet5-mnist-seed0-unpruned2-73d661f1a5",
    "lenet5-mnist-seed0-unpruned3-f71a3c6485",
    "lenet5-mnist-seed0-unpruned4-23a5053746",
    "lenet5-mnist-seed0-reference4-35e1eb7285",
    "lenet5-mnist-seed0-S0.5-83b7b95f55",
    "lenet5-mnist-seed0-S0.776393-d1551afef0",
    "lenet5-mnist-seed0-S0.9-c05d249990",
    "lenet5-mnist-seed0-S0.95-a363407e71",
    "lenet5-mnist-seed0-S0.95-q1-81ab7bfe35",
    "lenet5-mnist-seed0-S0.95-q1-7513944d94",
    "lenet5-mnist-seed0-S0.95-q1-xor20-7b002429ab",
    "lenet5-mnist-seed0-S0.95-q1-xor20-35cdd27482",
]
