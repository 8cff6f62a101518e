"""Everything in conf/ composes, validates and says what it claims."""

import re
from collections import Counter
from dataclasses import MISSING, replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from xorjax.codec import CODES
from xorjax.config.checks import OPTIMS
from xorjax.config.overrides import APPENDED, check_arguments, find_groups
from xorjax.config.schema import Config
from xorjax.config.sweep import compose, expand
from xorjax.config.validate import KINDS, load_config
from xorjax.masks import MASK_CODECS
from xorjax.models.registry import MODELS
from xorjax.pipeline.plan import make_plan
from xorjax.prune.trajectory import SPACINGS
from xorjax.quantize.ste import SIGNS
from xorjax.settings import flat, flattened, leaves, stated
from xorjax.tasks.task import TASKS

SETTINGS = {key: stated(own) for key, _, own in leaves(Config)}
CONF = Path(__file__).resolve().parents[2] / "conf"
GROUPS = find_groups(CONF)
# The others are searched: tests/search.
SWEPT = [
    name
    for name in GROUPS["experiment"]
    if "scripts/train.py" in (CONF / "experiment" / f"{name}.yaml").read_text()
]
TRAININGS = {
    "dense": ("dense training", "dense trainings"),
    "reference": ("reference", "references"),
    "prune": ("level of pruning", "levels of pruning"),
    "mask": ("mask trained under", "masks trained under"),
    "quantize": ("quantized model", "quantized models"),
    "train_code": ("model trained in code", "models trained in code"),
}
# What goes with each other, and not with the defaults.
LANGUAGE = {"data": ("brown", "ptb"), "task": ("language",), "model": ("lstm", "transformer")}
CHOSEN = [(group, choice) for group, choices in GROUPS.items() if group not in APPENDED for choice in choices]


def with_others(group, choice):
    """The choice, and what must be chosen with it."""
    first = (
        {other: choices[0] for other, choices in LANGUAGE.items()}
        if choice in LANGUAGE.get(group, ())
        else {}
    )
    return [f"{other}={chosen}" for other, chosen in (first | {group: choice}).items()]


def test_the_groups_are_those_of_the_design():
    assert set(GROUPS) == {
        "data",
        "model",
        "optim",
        "prune",
        "quantize",
        "code",
        "task",
        "mask",
        "recipe",
        "paths",
        *APPENDED,
    }


def test_the_defaults_are_the_schemas(compose_run, monkeypatch):
    for name in ("XORJAX_ROOT", "XORJAX_DATA", "XORJAX_CACHE", "XORJAX_RUNS"):
        monkeypatch.delenv(name, raising=False)
    config = load_config(compose_run())
    assert config.data.dir == "./data"
    assert config.data.cache_dir == "./.cache"
    assert (config.paths.root, config.paths.runs) == (".", "./runs")
    assert replace(config, data=Config().data, paths=Config().paths) == Config()


def test_the_files_and_examples_of_help_are_right():
    text = (CONF / "hydra" / "default.yaml").read_text().partition("\nhelp:")[2]
    files = set(re.findall(r"conf/[a-z/]+(?:\.yaml)?\b", text))
    assert {"conf/train.yaml", "conf/prune/magnitude.yaml", "conf/experiment"} <= files
    assert all((CONF.parent / file).exists() for file in files)
    examples = re.findall(r"^ {6}(\S.*?) {2,}", text, re.MULTILINE)
    assert len(examples) == 6
    for example in examples:
        assert check_arguments(example.split(), CONF) is None


def test_the_environment_moves_the_directories(compose_run, monkeypatch):
    monkeypatch.setenv("XORJAX_ROOT", "/project")
    monkeypatch.setenv("XORJAX_DATA", "/elsewhere")
    config = load_config(compose_run())
    assert (config.data.dir, config.paths.runs) == ("/elsewhere", "/project/runs")


@pytest.mark.parametrize(("group", "choice"), CHOSEN)
def test_every_choice_of_a_group_is_valid(compose_run, group, choice):
    # The layers that are pruned by default are not those of all models.
    layers = ["prune.layers=[*]"]
    config = load_config(compose_run(*with_others(group, choice), *layers))
    assert isinstance(config, Config)


@pytest.mark.parametrize("place", OPTIMS[1:])
def test_an_optimizer_can_be_chosen_for_one_stage(compose_run, place):
    config = load_config(compose_run(f"optim@{place}=sgd"))
    assert getattr(config, place.split(".")[0]).optim.name == "sgd"
    assert config.optim.name == "adam"


@pytest.mark.parametrize("name", GROUPS["debug"])
def test_debug_goes_with_a_sweep(compose_multirun, name):
    master = compose_multirun("+experiment=lenet_sweep", f"+debug={name}")
    assert isinstance(load_config(master), Config)
    assert (master.hydra.mode.name == "RUN") == (name == "one_point")


@pytest.mark.parametrize("name", SWEPT)
def test_every_point_of_an_experiment_is_valid_and_its_file_says_what_they_take(
    loader, compose_multirun, name
):
    master = compose_multirun(f"+experiment={name}")
    configs = [load_config(cfg) for cfg in compose(loader, master, expand(loader, master))]
    assert master.hydra.mode.name == "MULTIRUN"
    assert {config.report for config in configs} == {name}
    assert len(set(configs)) == len(configs)
    # All rates of a sweep lie on one trajectory.
    assert {config.prune.rate for config in configs} - {0} <= set(configs[0].prune.through)
    text = (CONF / "experiment" / f"{name}.yaml").read_text()
    comment = text[: text.index("\n\n")]
    assert text.startswith("# @package _global_\n")
    assert f"python scripts/train.py +experiment={name}\n" in comment
    assert re.search("# expected minutes.*:", comment)
    assert re.search("# expected (accuracy|perplexity).*:", comment)
    assert f" {trainings(configs)}." in comment.replace("\n# ", " ")


def trainings(configs):
    """How many trainings of each kind the points take, those of the references before their last ones aside."""
    stages = {stage.name: stage.kind for config in configs for stage in make_plan(config).stages}
    numbers = Counter(stages.values())
    said = [
        f"{n} {one if n == 1 else several}"
        for kind, (one, several) in TRAININGS.items()
        if (n := numbers[kind])
    ]
    return f"{len(configs)} points: {', '.join(said)}"


def test_choices_are_those_of_the_code():
    expected = {
        "prune.schedule.name": SPACINGS,
        "quantize.ste": SIGNS,
        "mask.codec": MASK_CODECS,
        "model.name": MODELS,
        "code.id": CODES,
        "task.id": TASKS,
    }
    assert {key: set(SETTINGS[key].choices) for key in expected} == {
        key: set(ids) for key, ids in expected.items()
    }


def test_every_setting_says_what_it_may_be_or_is_a_path_or_a_pattern():
    free = {key for key, says in SETTINGS.items() if says.allowed is None}
    paths = {"data.dir", "data.cache_dir", "paths.root", "paths.runs"}
    # What a data set may be the task says.
    assert free == {"report", "freeze", "prune.layers", "data.name", "per_layer", *paths}


def test_every_default_is_what_the_setting_may_be():
    """Nobody looks at a value that is the default."""
    for key, _, own in leaves(Config):
        allowed = stated(own).choices or stated(own).allowed
        if own.default is not MISSING and allowed is not None:
            items = own.default if isinstance(own.default, tuple) else (own.default,)
            assert all(item is None or item in allowed for item in items), key


def test_every_setting_says_what_it_is_for():
    assert [key for key, says in SETTINGS.items() if not says.help.endswith(".")] == []


def test_every_setting_stands_in_conf(compose_run):
    """Also those of the codes and tasks that are not the default's."""
    for group in KINDS:
        ids = set()
        for choice in GROUPS[group]:
            cfg = OmegaConf.to_container(
                compose_run(*with_others(group, choice), "prune.layers=[*]"), resolve=True
            )
            del cfg["hydra"]
            assert set(dict(flattened(cfg))) == set(flat(load_config(OmegaConf.create(cfg))))
            ids.add(cfg[group]["id"])
        assert ids == set(KINDS[group]())
