from dataclasses import dataclass, replace
from typing import Any

import pytest

from xorjax.config.identity import identity
from xorjax.config.reads import UndeclaredRead, determining, read, view
from xorjax.config.schema import Config, PruneConfig
from xorjax.settings import setting

CONFIG = Config(freeze=("conv*",), per_layer=(("fc*", (("code.n_in", 12),)),))
KEYS = ("data", "prune.scope", "prune.keep_epoch", "frozen_layers", "code.n_in")


def test_what_is_declared_is_read():
    seen = view(CONFIG, KEYS)
    assert seen.data is CONFIG.data
    assert (seen.prune.scope, seen.prune.keep_epoch) == ("layer", None)
    assert seen.frozen_layers == ("conv1", "conv2")
    assert (seen.code.n_in, seen.for_layer("fc1").code.n_in) == (20, 12)
    assert isinstance(seen, Config)
    assert isinstance(seen.prune, PruneConfig)


@pytest.mark.parametrize(
    "get",
    [
        lambda config: config.seed,
        lambda config: config.prune.rate,
        lambda config: config.prune.optim.epochs,
        lambda config: config.freeze,
        lambda config: config.mask,
        lambda config: config.for_layer("fc1").code.taps,
        lambda config: replace(config, seed=1),
        hash,
    ],
)
def test_what_is_not_declared_cannot_be_read(get):
    with pytest.raises(UndeclaredRead, match="not among the settings that the stage declares"):
        get(view(CONFIG, KEYS))


def test_the_values_that_are_read_are_plain_and_those_that_count():
    assert read(
        CONFIG, ("prune.scope", "prune.score", "prune.rewind_epoch", "data", "code.n_in", "frozen_layers")
    ) == {
        "prune.scope": "layer",
        "data": {"name": "mnist", "n_train": None, "n_validation": None, "n_test": None},
        "code.n_in": 20,
        "frozen_layers": ["conv1", "conv2"],
        "per_layer": {"fc1": {"code.n_in": 12}},
    }


def test_only_what_layers_have_of_their_own_and_is_read_is_theirs():
    assert "per_layer" not in read(CONFIG, ("mask", "quantize"))
    assert "per_layer" not in read(replace(CONFIG, per_layer=(("fc1", (("code.n_in", 20),)),)), ("code",))


@dataclass(frozen=True)
class Grown(PruneConfig):
    added: float = setting(0.0, added=True)


def test_a_setting_added_to_a_group_keeps_old_names_at_its_default():
    def name(prune: Any, keys=("prune.added", "prune.scope")):
        return identity("prune", read(replace(CONFIG, prune=prune), keys))

    assert name(Grown()) == name(PruneConfig(), ("prune.scope",))
    assert name(Grown(added=0.5)) != name(Grown())
    # As well where a whole group is read.
    assert name(Grown(), ("prune",)) == name(PruneConfig(), ("prune",))
    assert name(Grown(added=0.5), ("prune",)) != name(Grown(), ("prune",))


def test_what_determines_is_told_by_key():
    told = determining(CONFIG)
    assert told["code.id"] == "xor"
    assert told["per_layer"] == {"fc*": {"code.n_in": 12}}
    assert not {"paths.runs", "report", "data.dir", "sweep.on_error"} & set(told)
