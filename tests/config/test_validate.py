import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from xorjax.codec.signs import SignsCode
from xorjax.codec.xor import XorCode
from xorjax.config.schema import Config
from xorjax.config.validate import PER_LAYER, ConfigError, load_config
from xorjax.settings import BETWEEN, FRACTION, POSITIVE, Range, plain

# What is wrong, and what the sentence must say of it: the key, the value, what is allowed, the nearest.
WRONG = {
    "unknown key": ({"prune.rte": 0.9}, ["prune.rte", "0.9", "nearest is prune.rate"]),
    "unknown top key": ({"sed": 1}, ["sed", "1", "nearest is seed"]),
    "unknown deep key": ({"prune.a.b": 1}, ["prune.a.b", "not a setting"]),
    "key of another group": ({"code.rate": 0.9}, ["code.rate", "nearest is prune.rate"]),
    "wrong type": ({"code.n_in": 2.5}, ["code.n_in is 2.5", "an integer", "default is 20"]),
    "text for a number": ({"prune.rate": "most"}, ["prune.rate is 'most'", "a number"]),
    "a truth for an integer": ({"seed": True}, ["seed is True", "an integer"]),
    "null for a number": ({"prune.rate": None}, ["prune.rate is None", "a number"]),
    "name for a list": ({"prune.layers": "fc1"}, ["prune.layers is 'fc1'", "a list of names"]),
    "value for a group": ({"code": 3}, ["code is 3", "a group of settings"]),
    "text for an optional number": ({"code.taps": "two"}, ["code.taps is 'two'", "an integer or null"]),
    "rate 1": ({"prune.rate": 1.0}, ["prune.rate is 1.0", "at least 0 and less than 1", "nearest is 0.99"]),
    "rate below 0": ({"prune.rate": -0.5}, ["prune.rate is -0.5", "nearest is 0"]),
    "rate nan": ({"prune.rate": float("nan")}, ["prune.rate is nan", "at least 0"]),
    "n_in 129": ({"code.n_in": 129}, ["code.n_in is 129", "at most 128", "nearest is 128"]),
    "n_in 0": ({"code.n_in": 0}, ["code.n_in is 0", "at least 1", "nearest is 1"]),
    "n_out = n_in": ({"code.n_out": 20}, ["code.n_out is 20", "more than n_in, 20"]),
    "fill that makes no slice": (
        {"code.fill": 0.001, "prune.rate": 0.95},
        ["code.fill 0.001 gives n_out 0", "more than n_in, 20"],
    ),
    "fill beyond its range": ({"code.fill": 20000}, ["code.fill is 20000.0", "at most 2"]),
    "no seed": ({"code.seed": None}, ["code.seed is null", "a number that the matrix is drawn from"]),
    "fill and n_out": (
        {"code.n_out": 200, "code.fill": 0.8},
        ["code.fill is 0.8", "null where n_out is given, here 200"],
    ),
    "taps": ({"code.taps": 21}, ["code.taps is 21", "at most n_in, 20"]),
    "code": ({"code.id": "xnor"}, ["code.id is 'xnor'", "one of", "ans_signs", "nearest is xor"]),
    "setting of another code": (
        {"code": {"id": "signs", "n_in": 12}},
        ["code.n_in (here 12)", "is a setting of code=trained or code=xor, not of code=signs"],
    ),
    "latent words under a mask": (
        {"code": {"id": "trained"}, "quantize.words": "latent"},
        ["prune.rate is 0.95", "0 unless quantize.words is search"],
    ),
    "a code for weights of others": (
        {"code": {"id": "trained", "slicing": "inputs_last"}},
        ["code.slicing is inputs_last", "inputs where a network is trained"],
    ),
    "setting of no code": ({"code": {"id": "signs", "nin": 12}}, ["code.nin", "nearest is code.n_in"]),
    "old key": ({"xor.n_in": 12}, ["xor.n_in (here 12) is called code.n_in now"]),
    "old key with a new name": ({"xor.layout": "shuffled"}, ["xor.layout", "called code.slicing now"]),
    "run directory": ({"paths.runs": "a\udcff"}, ["paths.runs is 'a\\udcff'", "UTF-8"]),
    "data directory": ({"data.dir": "a\udcff"}, ["data.dir is 'a\\udcff'", "UTF-8"]),
    "augmentation": ({"task.augment": "flip"}, ["task.augment is 'flip'", "nearest is shift_flip"]),
    "rules that are none": ({"per_layer": {"fc1": 3}}, ["per_layer is {'fc1': 3}", "settings by patterns"]),
    "rule for no pruned layer": (
        {"per_layer": {"conv*": {"code.n_in": 12}}},
        ["per_layer is conv*", "matches pruned layers: fc1", "nearest is fc1"],
    ),
    "rule of a setting for all": (
        {"per_layer": {"fc*": {"optim.epochs": 2}}},
        ["per_layer of fc*: optim.epochs (here 2) cannot be set by layer", "prune.rate", "code.n_in", "can"],
    ),
    "rule of a group": (
        {"per_layer": {"fc1": {"prune": {"optim": {"epochs": 2}}}}},
        ["per_layer of fc1: prune.optim.epochs (here 2) cannot be set by layer"],
    ),
    "rule of no setting": (
        {"per_layer": {"fc1": {"prune.rte": 0.8}}},
        ["per_layer of fc1: prune.rte (here 0.8) is not a setting", "nearest is prune.rate"],
    ),
    "rule out of range": (
        {"per_layer": {"fc1": {"code.n_in": 129}}},
        ["per_layer of fc1: code.n_in is 129", "nearest is 128"],
    ),
    "rule of the wrong type": (
        {"per_layer": {"fc1": {"prune.rate": "most"}}},
        ["per_layer of fc1: prune.rate is 'most'", "a number"],
    ),
    "rule of another code": (
        {"per_layer": {"fc1": {"code.id": "signs", "code.n_in": 12}}},
        ["per_layer of fc1: code.n_in", "of code=trained or code=xor, not of code=signs"],
    ),
    "rule that contradicts": (
        {"code.n_out": 40, "per_layer": {"fc1": {"code.n_in": 64}}},
        ["per_layer of fc1: code.n_out is 40", "more than n_in, 64"],
    ),
    "rule of rates in all layers' ranking": (
        {"prune.scope": "global", "per_layer": {"fc1": {"prune.rate": 0.8}}},
        ["per_layer of fc1: prune.scope is global", "layer, where layers have rates"],
    ),
    "rule of a mask that is made": (
        {"per_layer": {"fc1": {"mask.codec": "lowrank"}}},
        ["per_layer of fc1: mask.codec is lowrank", "ans_rc", "for all layers"],
    ),
    "layer": (
        {"prune.layers": ["fc9"]},
        ["prune.layers is [fc9]", "conv1, conv2, fc1, fc2", "nearest is fc"],
    ),
    "layer of another model": ({"prune.layers": ["fc3"]}, ["prune.layers is [fc3]", "of lenet5"]),
    "no layer": ({"prune.layers": []}, ["prune.layers is []", "fc1"]),
    "frozen layer": ({"freeze": ["cnv1"]}, ["freeze is [cnv1]", "nearest is conv1"]),
    "frozen and pruned": ({"freeze": ["*"]}, ["freeze is [*]", "without", "[conv1, conv2, fc2]"]),
    "data set": (
        {"data.name": "mnits"},
        ["data.name is 'mnits'", "mnist, fashion_mnist", "nearest is mnist"],
    ),
    "model": (
        {"model.name": "lenet"},
        ["model.name is 'lenet'", "lenet5, lenet5_wide, lenet300", "nearest is lenet5"],
    ),
    "optimizer": ({"prune.optim.name": "adan"}, ["prune.optim.name is 'adan'", "nearest is adam"]),
    "optimizer's schedule": ({"optim.schedule": "cos"}, ["optim.schedule is 'cos'", "nearest is cosine"]),
    "strategy": ({"prune.strategy": "rewnd"}, ["prune.strategy is 'rewnd'", "nearest is rewind"]),
    "scope": ({"prune.scope": "all"}, ["prune.scope is 'all'", "layer, global"]),
    "ste": ({"quantize.ste": "clip"}, ["quantize.ste is 'clip'", "nearest is clipped"]),
    "scale": ({"quantize.scale": "chanel"}, ["quantize.scale is 'chanel'", "nearest is channel"]),
    "method": ({"code.method": "greed"}, ["code.method is 'greed'", "nearest is greedy"]),
    "encoder": ({"code.encoder": "numpy"}, ["code.encoder is 'numpy'", "numba, galois"]),
    "patch format": ({"code.patch_format": "block"}, ["code.patch_format is 'block'", "nearest is blocked"]),
    "mask codec": ({"mask.codec": "bits"}, ["mask.codec is 'bits'", "nearest is bitmap"]),
    "index bits of an exact mask": ({"mask.index_bits": 0.1}, ["mask.index_bits is 0.1", "ans_rc is"]),
    "start above the rate": (
        {"mask.codec": "lowrank", "mask.start_rate": 0.97},
        ["mask.start_rate is 0.97", "at most prune.rate, 0.95", "nearest is 0.95"],
    ),
    "a loop without a last round": (
        {"mask.codec": "xor", "mask.search": "loop", "mask.rounds": 1},
        ["mask.rounds is 1", "at least 2 for mask.search=loop", "nearest is 2"],
    ),
    "rewinding to an approximate mask": (
        {"mask.codec": "xor", "prune.strategy": "rewind"},
        ["prune.strategy is 'rewind'", "continue for masks by xor"],
    ),
    "score": ({"prune.score": "magnitud"}, ["prune.score is 'magnitud'", "nearest is magnitude"]),
    "structure": ({"prune.structure": -1.0}, ["prune.structure is -1.0", "nearest is 0"]),
    "prune schedule": (
        {"prune.schedule.name": "cube"},
        ["prune.schedule.name is 'cube'", "nearest is cubic"],
    ),
    "through 1": ({"prune.through": [0.9, 1.0]}, ["prune.through is 1.0", "less than 1"]),
    "through descends": ({"prune.through": [0.95, 0.9]}, ["prune.through is [0.95, 0.9]", "[0.9, 0.95]"]),
    "last before first": ({"prune.schedule.first": 0.95}, ["prune.schedule.last is 0.9", "0.95"]),
    "rewind too late": (
        {"prune.strategy": "rewind", "prune.rewind_epoch": 10},
        ["prune.rewind_epoch is 10", "optim.epochs, 8", "nearest is 7"],
    ),
    "no epochs": ({"optim.epochs": 0}, ["optim.epochs is 0", "nearest is 1"]),
    "warm-up": ({"optim.warmup_epochs": 11.0}, ["optim.warmup_epochs is 11.0", "nearest is 8"]),
    "learning rate": ({"optim.learning_rate": 0.0}, ["optim.learning_rate is 0.0", "more than 0", "0.002"]),
    "too many images": ({"data.n_train": 60_000}, ["data.n_train is 60000", "nearest is 55000"]),
    "batch": ({"data.n_train": 100}, ["batch_size is 128", "training examples, 100"]),
    "planes": ({"quantize.n_planes": 0}, ["quantize.n_planes is 0", "nearest is 1"]),
    "report": ({"report": "../x"}, ["report is '../x'", "nearest is _x"]),
    "interpolation": ({"data.dir": "${oc.env:NOT_SET_ANYWHERE}"}, ["data.dir", "NOT_SET_ANYWHERE"]),
}


def changed(settings):
    cfg = OmegaConf.create(plain(Config()) | {"per_layer": None})
    for key, value in settings.items():
        OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    return cfg


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_refused_by_its_name(case):
    settings, words = WRONG[case]
    with pytest.raises(ConfigError) as error:
        load_config(changed(settings))
    assert not [word for word in words if word not in error.value.problems[0]], error.value.problems[0]
    assert all("\n" not in problem for problem in error.value.problems)
    if case != "batch":  # three trainings have that batch size
        assert len(error.value.problems) == 1


def test_all_problems_are_reported_together():
    with pytest.raises(ConfigError) as error:
        load_config(changed({"prune.rate": 1.5, "code.n_in": 165, "data.name": "x", "optim.epochs": -1}))
    assert len(error.value.problems) == 4
    with pytest.raises(ConfigError) as error:
        load_config(changed({"nothing": 1, "code.n_in": "x"}))
    assert len(error.value.problems) == 2
    assert str(error.value) == "\n".join(error.value.problems)


def test_lists_become_tuples_and_numbers_take_the_schemas_type():
    config = load_config(changed({"prune.layers": ["fc*"], "freeze": ["conv*"], "optim.learning_rate": 1}))
    assert config.prune.layers == ("fc*",)
    assert config.freeze == ("conv*",)
    assert type(config.optim.learning_rate) is float
    assert hash(config) == hash(
        load_config(changed({"prune.layers": ["fc*"], "freeze": ["conv*"], "optim.learning_rate": 1.0}))
    )


def test_a_missing_setting_has_the_schemas_default():
    assert load_config(OmegaConf.create({"seed": 3})) == Config(seed=3)


def test_a_groups_kind_comes_with_its_own_defaults():
    signs = load_config(OmegaConf.create({"code": {"id": "signs"}}))
    assert signs == Config(code=SignsCode())
    assert load_config(OmegaConf.create({"code": {"n_in": 12}})).code == XorCode(n_in=12)


RULES = {
    "fc1": {"code.n_in": 12, "prune.rate": 1 / 2},
    "fc*": {"code.id": "signs", "quantize.n_planes": 2, "mask.codec": "bitmap"},
    "*": {"prune.rate": 0},
}


def test_the_first_rule_that_matches_a_layer_counts():
    config = load_config(changed({"prune.layers": ["fc*", "conv2"], "code.taps": 4, "per_layer": RULES}))
    assert hash(config) == hash(
        load_config(changed({"prune.layers": ["fc*", "conv2"], "code.taps": 4, "per_layer": RULES}))
    )
    first, second, third = (config.for_layer(layer) for layer in ("fc1", "fc2", "conv2"))
    assert (first.code, first.prune.rate, first.quantize.n_planes) == (XorCode(n_in=12, taps=4), 0.5, 1)
    assert (second.code, second.prune.rate, second.quantize.n_planes) == (SignsCode(), 0.95, 2)
    assert (first.mask.codec, second.mask.codec) == ("ans_rc", "bitmap")
    assert (third.code, third.prune.rate) == (XorCode(taps=4), 0.0)
    assert type(third.prune.rate) is float


def test_layers_may_have_what_is_said_of_one_layer():
    assert PER_LAYER[:5] == (
        *("prune.rate", "quantize.n_planes", "quantize.scale", "quantize.scale_bits", "code.id"),
    )
    assert {"mask.codec", "code.n_in", "code.method"} < set(PER_LAYER)
    assert not {"prune.scope", "mask.seed", "seed", "task.id"} & set(PER_LAYER)


@pytest.mark.parametrize("allowed", [BETWEEN, FRACTION, POSITIVE, Range(1, 64), Range(0)], ids=str)
@given(value=st.floats(allow_nan=False) | st.integers(-100, 100))
def test_the_nearest_in_a_range_is_in_it(allowed, value):
    near = allowed.nearest(value)
    assert value in allowed or near is None or near in allowed


@pytest.mark.parametrize(
    ("allowed", "ends"),
    [(BETWEEN, (False, False)), (FRACTION, (True, False)), (Range(0, 1), (True, True))],
    ids=str,
)
def test_a_range_has_the_ends_it_says(allowed, ends):
    assert (0 in allowed, 1 in allowed) == ends
    assert 0.5 in allowed
