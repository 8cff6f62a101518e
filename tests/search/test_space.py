import re
from itertools import product
from pathlib import Path

import pytest
from hydra.errors import HydraException

from xorjax.config.axes import Choice, LogScale, Steps
from xorjax.config.errors import ConfigError
from xorjax.config.space import open_space

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture
def space():
    """Reads a space from overrides."""

    def read(*overrides):
        with open_space(CONF, overrides) as space:
            return space

    return read


# Each a space: reading one takes Hydra a while.
SPACES = [
    {
        "prune.rate=interval(0.85,0.98)": Steps(0.85, 0.98, 0.005),
        "code.n_in=choice(12,20,32)": Choice(("12", "20", "32")),
        "code.taps=interval(1,5)": Steps(1, 5, 1),
        "mask=choice(ans_rc,xor)": Choice(("ans_rc", "xor")),
        "prune.layers=[fc1],[fc*]": Choice(("[fc1]", "[fc*]")),
    },
    {
        "prune.rate=range(0.8,0.98,0.01)": Steps(0.8, 0.97, 0.01),
        "code.n_in=range(8,65,4)": Steps(8, 64, 4),
        "optim.learning_rate=tag(log,interval(1e-4,1e-2))": LogScale(1e-4, 1e-2),
        "optim.label_smoothing=interval(0,1)": Steps(0.0, 1.0, 0.02),
    },
    {
        "prune.rate=range(0.9,0.8,-0.05)": Steps(0.85, 0.9, 0.05),
        "code.n_in=interval(10.5,64)": Steps(11, 64, 1),
        "mask.index_bits=interval(0.05,0.1512)": Steps(0.05, 0.15, 0.005),
    },
    {"prune.rate=0.9,0.95": Choice(("0.9", "0.95")), "code.n_in=tag(log,interval(8,128))": LogScale(8, 128)},
]


@pytest.mark.parametrize("axes", SPACES)
def test_hydras_sweeps_are_the_axes(space, axes):
    expected = {override.partition("=")[0]: axis for override, axis in axes.items()}
    found = space(*axes).axes
    assert found == expected
    # 11 and 11.0 are equal.
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("prune.rate=0.9", "nothing to search"),
        ("seed=0,1", "nothing to search"),
        ("prune.rate=range(0.9,0.1)", "no value between its ends"),
        ("prune.rate=interval(0.9,0.1)", "no value between its ends"),
        ("code.n_in=range(8,20,0.5)", "integers"),
        ("mask.codec=interval(0,1)", r"write mask\.codec=choice"),
        ("prune.through=range(0,1,0.1)", r"write prune\.through=choice"),
        ("seed=range(0,0)", "has no values, so that there are no points"),
        ("seed=interval(0,3)", "write seed=0,1,2"),
        ("prune.rate=tag(big,interval(0,1))", "may be log, not big"),
        ("prune.rate=tag(log,interval(0,1))", "begins above 0"),
        ("prune.rte=interval(0,1)", r"nearest is prune\.rate"),
        ("mask=choice(ans_rc,xnor)", "nearest is xor"),
    ],
)
def test_what_is_no_space_is_refused(space, override, error):
    with pytest.raises(ConfigError, match=error):
        space(override)


def test_a_group_has_no_numbers(space):
    with pytest.raises(HydraException, match="CHOICE"):
        space("mask=interval(0,1)")


def test_the_command_line_takes_the_place_of_the_experiments_line(space):
    found = space("+experiment=lenet_search", "prune.rate=0.9", "code.n_in=interval(10,20)", "code.taps=2,3")
    assert list(found.axes) == ["code.n_in", "mask", "code.taps"]
    assert found.axes["code.n_in"] == Steps(10, 20, 1)
    assert found.experiment == "lenet_search"


def test_a_trial_has_a_point_for_each_seed():
    with open_space(CONF, ["+experiment=lenet_search", "seed=3,4", "code.method=greedy"]) as space:
        points = space.points({"prune.rate": "0.95", "code.n_in": "32", "mask": "xor"})
    assert [config.seed for config, _ in points] == [3, 4]
    for config, command in points:
        assert (config.prune.rate, config.code.n_in, config.mask.codec) == (0.95, 32, "xor")
        assert (config.code.method, config.data.n_train) == ("greedy", 10000)
        assert command.startswith("python scripts/train.py +experiment=lenet_search hydra.mode=RUN ")
        assert f"seed={config.seed}" in command
        assert "prune.rate=0.95" in command


def test_one_part_can_be_searched():
    with open_space(CONF, ["+experiment=front", "hydra.sweeper.only=[search]", "seed=0"]) as space:
        assert list(space.axes) == ["code.n_out"]
        ((config, _),) = space.points({"code.n_out": "34"})
        assert (config.code.id, config.code.n_out, config.quantize.words) == ("trained", 34, "search")
    problem = r"has the parts search, latent, soft, .*, and a search has one space; .*only=\[search\]"
    with pytest.raises(ConfigError, match=problem), open_space(CONF, ["+experiment=front"]):
        pass


def test_settings_that_contradict_are_refused_by_point():
    with open_space(CONF, ["mask.index_bits=0.1", "mask=choice(ans_rc,xor)"]) as space:
        assert len(space.points({"mask": "xor"})) == 1
        with pytest.raises(ConfigError, match=r"mask\.index_bits"):
            space.points({"mask": "ans_rc"})


def test_a_space_is_named_by_what_determines_its_results(space, monkeypatch):
    given = ["+experiment=lenet_search", "code.n_in=12,20", "optim.epochs=3"]
    name = space(*given).name
    assert re.fullmatch("search-[0-9a-f]{10}", name)
    assert space(given[0], given[2], given[1]).name == name
    assert space(*given, "sweep.on_error=stop").name == name
    monkeypatch.setenv("XORJAX_RUNS", "/elsewhere")
    assert space(*given).name == name
    others = ["optim.epochs=4", "seed=0,1", "code.n_in=12,24", "mask=xor"]
    names = {space(*given, other).name for other in others}
    assert len(names | {name}) == 1 + len(others)


def test_values_are_as_short_as_they_were_written():
    axis = Steps(0.8, 0.97, 0.01)
    assert [axis.text(0.8 + i * 0.01) for i in (0, 7, 17)] == ["0.8", "0.87", "0.97"]
    assert Steps(8, 64, 4).text(12) == "12"
    assert LogScale(1e-4, 1e-2).text(0.00123456) == "0.0012"
    assert LogScale(1e-6, 1e-2).text(1.26e-6) == "1.3e-06"
    assert LogScale(8, 64).text(17) == "17"


def test_the_data_of_all_that_is_searched(space):
    alone = space("prune.rate=interval(0.8,0.9)", "data.dir=there", "data.n_train=100")
    assert [(config.data.name, config.data.dir) for config in alone.data] == [("mnist", "there")]
    several = space("data=choice(mnist,fashion_mnist)", "data.n_train=choice(100,200)")
    assert [config.data.name for config in several.data] == ["mnist", "fashion_mnist"]


def test_lenet_search_says_how_it_is_run_and_every_corner_is_valid():
    text = (CONF / "experiment" / "lenet_search.yaml").read_text()
    comment = text[: text.index("\n\n")]
    assert text.startswith("# @package _global_\n")
    assert "python scripts/search.py +experiment=lenet_search --trials 30\n" in comment
    assert re.search(r"# expected minutes \(2 cores\): [\d.]+", comment)
    assert re.search("# expected accuracy.*: .*%", comment)
    with open_space(CONF, ["+experiment=lenet_search"]) as space:
        rate, n_in, mask = (space.axes[key] for key in ("prune.rate", "code.n_in", "mask"))
        assert isinstance(rate, Steps)
        n_rates = round((rate.high - rate.low) / rate.step) + 1
        assert f"# {n_rates * len(n_in.values) * len(mask.values)} combinations" in comment
        rates = [rate.text(rate.low), rate.text(rate.high)]
        for values in product(rates, n_in.values, mask.values):
            ((config, _),) = space.points(dict(zip(space.axes, values, strict=True)))
            assert config.report == "lenet_search"
