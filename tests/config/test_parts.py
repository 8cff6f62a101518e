"""Sweeps of several parts: which points they have, in which order, and what is refused."""

import shlex
from itertools import pairwise, product

import pytest
from hydra.core.hydra_config import HydraConfig
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from xorjax.config.errors import ConfigError
from xorjax.config.sweep import compose, expand, point_command
from xorjax.config.validate import load_config
from xorjax.pipeline.plan import make_plan

RECIPE = [
    *(
        "data=fashion_mnist",
        "task.augment=shift_flip",
        "optim.epochs=15",
        "prune.layers=[fc1]",
        "seed=0,1,2,3,4",
    ),
    *(
        "prune.optim.epochs=3",
        "prune.optim.distill=0.5",
        "quantize.optim.epochs=15",
        "quantize.optim.distill=0.5",
    ),
]
TRAINED = ["code=trained", "prune.rate=0", "quantize.scale=channel", "quantize.scale_bits=8"]
MASKS = ["code.n_in=64", "code.patch_format=enumerative"]
ALONE = {
    "search": [*TRAINED, "quantize.words=search", "code.n_out=20,34,89,160"],
    "latent": [*TRAINED, "quantize.words=latent", "code.n_out=20"],
    "soft": [*TRAINED, "quantize.words=soft", "code.n_out=89,160"],
    "exact_masks": [*MASKS, "prune.through=[0.9,0.95,0.98]", "prune.rate=0.9,0.95,0.98"],
    "xor_masks": [*MASKS, "mask=xor", "mask.search=loop", "prune.rate=0.98", "mask.index_bits=null,0.1"],
}


@pytest.fixture
def sweep(compose_multirun):
    """What Hydra composes for a command whose experiment has these parameters and parts."""

    def make(params, parts, *overrides, only=None):
        master = compose_multirun(*overrides)
        for key, value in {"params": params, "parts": parts, "only": only}.items():
            OmegaConf.update(master, f"hydra.sweeper.{key}", value, force_add=True)
        return master

    return make


def configs(loader, master):
    return [load_config(cfg) for cfg in compose(loader, master, expand(loader, master))]


def names(loader, master):
    return {stage.name for config in configs(loader, master) for stage in make_plan(config).stages}


@pytest.mark.parametrize("part", ALONE)
@pytest.mark.parametrize("beside", [(), ("data=mnist", "task.augment=shift")])
def test_a_part_of_front_has_the_stages_of_a_command_of_its_own(loader, compose_multirun, part, beside):
    alone = compose_multirun(*RECIPE, *ALONE[part], *beside)
    assert names(loader, compose_multirun("+experiment=front", f"hydra.sweeper.only=[{part}]", *beside)) == (
        names(loader, alone)
    )


def test_front_has_whole_seeds_one_after_the_other(loader, compose_multirun):
    found = configs(loader, compose_multirun("+experiment=front"))
    assert [config.seed for config in found] == [seed for seed in range(5) for _ in range(12)]
    assert [(c.code.id, c.quantize.words, c.prune.rate, c.mask.codec) for c in found[:12]] == [
        *[("trained", "search", 0, "ans_rc")] * 4,
        ("trained", "latent", 0, "ans_rc"),
        *[("trained", "soft", 0, "ans_rc")] * 2,
        *[("xor", "search", rate, "ans_rc") for rate in (0.9, 0.95, 0.98)],
        *[("xor", "search", 0.98, "xor")] * 2,
    ]


def test_the_command_line_holds_for_every_part(loader, sweep):
    parts = {"low": {"prune.rate": "0.5,0.6", "optim": "sgd"}, "high": {"prune.rate": 0.9}}
    found = configs(loader, sweep({"seed": "0,1"}, parts, "prune.optim.epochs=1,2", "optim=adam"))
    assert [(c.seed, c.prune.optim.epochs, c.prune.rate) for c in found] == [
        (seed, epochs, rate) for seed in (0, 1) for epochs in (1, 2) for rate in (0.5, 0.6, 0.9)
    ]
    assert {config.optim.name for config in found} == {"adam"}
    found = configs(loader, sweep({"seed": "0,1"}, parts, "prune.rate=0.7", "seed=3"))
    assert [(c.seed, c.prune.rate) for c in found] == [(3, 0.7)] * 2


def test_a_part_takes_the_place_of_what_holds_for_all(loader, sweep):
    parts = {"own": {"prune.rate": "0.9,0.95"}, "plain": None}
    found = configs(loader, sweep({"prune.rate": "0.5", "seed": "0,1"}, parts))
    assert [(c.seed, c.prune.rate) for c in found] == [
        (seed, rate) for seed in (0, 1) for rate in (0.9, 0.95, 0.5)
    ]


def test_values_of_a_part_may_be_of_any_kind(loader, sweep):
    parts = {"one": {"prune.through": [0.9, 0.95], "code.taps": None, "freeze": ["conv*"], "prune.rate": 0.9}}
    (config,) = configs(loader, sweep(None, parts))
    assert (config.prune.through, config.code.taps, config.freeze) == ((0.9, 0.95), None, ("conv*",))


KEYS = ("seed", "prune.rate", "code.n_in", "optim.epochs")
VALUES = st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True)
OVERRIDES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)


@settings(max_examples=60, deadline=None)
@given(OVERRIDES, st.dictionaries(st.sampled_from(("a", "b", "c")), OVERRIDES, max_size=3), OVERRIDES)
def test_the_points_are_the_products_of_the_parts(loader, master, params, parts, line):
    def texts(overrides):
        return {key: ",".join(map(str, values)) for key, values in overrides.items()}

    def combinations(overrides):
        return [
            {f"{key}={v}" for key, v in zip(overrides, point, strict=True)}
            for point in product(*overrides.values())
        ]

    master.hydra.sweeper.params = texts(params)
    master.hydra.sweeper.parts = {name: texts(part) for name, part in parts.items()}
    master.hydra.overrides.task = [f"{key}={text}" for key, text in texts(line).items()]
    found = [set(point) for point in expand(loader, master)]
    expected = [
        point for part in (parts or {"": {}}).values() for point in combinations(params | part | line)
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    if len(parts) == 1:  # all holds for all parts: the order given, as without parts
        assert found == expected
        return
    # What no part has of its own changes more slowly than what they have.
    shared = {*params, *line} - {key for part in parts.values() for key in part if key not in line}
    outer = [{text for text in point if text.partition("=")[0] in shared} for point in found]
    changes = sum(one != other for one, other in pairwise(outer))
    assert changes == len(combinations({key: (params | line)[key] for key in shared})) - 1


@pytest.fixture(scope="module")
def master(compose_multirun):
    cfg = compose_multirun()
    OmegaConf.set_struct(cfg.hydra, False)
    return cfg


@pytest.mark.parametrize("only", ["low", ["low"], ["low", "low"]])
def test_parts_can_be_chosen(loader, sweep, only):
    parts = {"low": {"prune.rate": 0.5}, "high": {"prune.rate": 0.9, "code.n_out": "wrong"}}
    assert [c.prune.rate for c in configs(loader, sweep({}, parts, only=only))] == [0.5]


def test_parts_are_in_the_order_of_the_experiment(loader, compose_multirun):
    chosen = compose_multirun("+experiment=front", "hydra.sweeper.only=[xor_masks,latent]", "seed=0")
    assert [config.prune.rate for config in configs(loader, chosen)] == [0, 0.98, 0.98]


@pytest.mark.parametrize(
    ("parts", "only", "error"),
    [
        (
            {"low": {}, "high": {}},
            ["hihg"],
            "hydra.sweeper.only names 'hihg'; it must be one of low, high; the nearest is high",
        ),
        ({"low": {}, "high": {}}, [], "hydra.sweeper.only names ''"),
        (None, ["low"], "hydra.sweeper.only is ['low'], and the sweep has no parts"),
        ({"low": 3}, None, "hydra.sweeper.parts.low is 3; it must be overrides by key"),
        (
            {"low": {"prune.rte": 0.9}, "high": {}},
            None,
            "part low: prune.rte (in prune.rte=0.9) is not a setting; the nearest is prune.rate; "
            "hydra.sweeper.only=[high] leaves it out",
        ),
        (
            {"low": {"prune": {"rate": 0.9}}, "high": {}},
            None,
            "hydra.sweeper.parts.low: prune is a mapping; write dotted keys, as prune.rate: VALUE",
        ),
        (
            {"low": {"prune.rate": "interval(0.5,0.9)"}, "high": {}},
            None,
            "part low: prune.rate=interval(0.5,0.9) cannot be swept",
        ),
        (
            {"low": {"seed": "range(0,0)"}, "high": {}},
            None,
            "part low: seed=range(0,0) has no values, so that there are no points; a range ends",
        ),
    ],
)
def test_what_is_wrong_with_a_part_is_refused(loader, sweep, parts, only, error):
    with pytest.raises(ConfigError) as raised:
        configs(loader, sweep({}, parts, only=only))
    (problem,) = raised.value.problems
    assert problem.startswith(error)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["code.patch_format=care"],
            "error: part search and latent and soft: code.patch_format is a setting of code=xor, which is not chosen; "
            "hydra.sweeper.only=[exact_masks,xor_masks] leaves it out\n",
        ),
        (
            ["prune.rate=0.5"],
            "error: part latent and soft: prune.rate is 0.5; it must be 0 unless quantize.words is search; "
            "the nearest is 0; hydra.sweeper.only=[search,exact_masks,xor_masks] leaves it out\n",
        ),
        (["quantize.optim.epochs=-1"], "error: quantize.optim.epochs is -1; it must be"),
        (["seed=1", "prune.rte=1"], "error: prune.rte (in prune.rte=1) is not a setting"),
        (["hydra.sweeper.only=[serch]"], "error: hydra.sweeper.only names 'serch'; it must be one of"),
        (
            ["hydra.sweeper.only=search,latent"],
            "error: hydra.sweeper.only=search,latent is of Hydra's own settings, which take one value; a list is "
            "written hydra.sweeper.only=[search,latent]\n",
        ),
        (
            ["+debug=one_point", "hydra.sweeper.only=[search]"],
            "error: hydra.sweeper.only is ['search']; it chooses parts of a sweep, and this command is for one point",
        ),
        (["hydra/sweeper=basic"], "error: "),
    ],
)
def test_a_wrong_command_is_one_line_and_writes_nothing(train, tmp_path, arguments, error):
    done = train("+experiment=front", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("launcher", ["serial", "basic"])
def test_all_parts_are_handed_over_at_once(train, launcher):
    arguments = ["+experiment=front", "hydra.sweeper.only=[search,xor_masks]", "seed=0"]
    done = train(*arguments, f"hydra/launcher={launcher}", "report=some")
    assert (done.returncode, done.stderr) == (0, "")
    calls = [line.split("|")[1] for line in done.stdout.splitlines() if line.startswith("run|")]
    assert calls == (["6"] if launcher == "serial" else ["1"] * 6)


def test_one_point_and_its_settings_can_be_shown(train):
    done = train("+experiment=front", "+debug=one_point", "seed=4")
    assert (done.returncode, done.stdout.count("point|")) == (0, 1)
    shown = train("--cfg", "job", "+experiment=front")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert OmegaConf.create(shown.stdout).data.name == "fashion_mnist"


@pytest.fixture
def _restore_hydra_config():
    yield
    HydraConfig.instance().cfg = None


@pytest.mark.usefixtures("_restore_hydra_config")
def test_a_points_command_runs_it_alone(loader, compose_multirun, compose_run):
    chosen = ("+experiment=front", "hydra.sweeper.only=[search,xor_masks]", "seed=0,1", "report=some")
    master = compose_multirun(*chosen, "+hydra.sweeper.parts.more={seed: 7}")
    for cfg in compose(loader, master, expand(loader, master)):
        HydraConfig.instance().set_config(cfg)
        command = point_command(HydraConfig.get())
        assert "hydra.sweeper" not in command
        alone = compose_run(*shlex.split(command)[2:])
        assert load_config(alone) == load_config(cfg)
