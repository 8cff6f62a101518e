"""Models by name, as a static graph and a flat dict of parameters keyed "layer/param"."""

from difflib import get_close_matches

import jax
from flax import nnx

from xorjax.models.lenet import LeNet5, LeNet300
from xorjax.params import Params

MODELS: dict[str, type[LeNet5] | type[LeNet300]] = {"lenet5": LeNet5, "lenet300": LeNet300}


def get_model(name: str) -> type[LeNet5] | type[LeNet300]:
    """The class of the model called `name`.

    Raises:
        ValueError: no such model; names the nearest.
    """
    if name not in MODELS:
        nearest = get_close_matches(name, MODELS, n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown model {name!r}: did you mean {nearest!r}? Models: {', '.join(MODELS)}.")
    return MODELS[name]


def create_model(name: str, seed: int) -> tuple[nnx.GraphDef, Params]:
    """Initialize the model called `name` from `jax.random.key(seed)`; the graph does not depend on the seed."""
    model = get_model(name)(rngs=nnx.Rngs(jax.random.key(seed)))
    graphdef, state = nnx.split(model)
    return graphdef, {"/".join(map(str, path)): variable[...] for path, variable in nnx.to_flat_state(state)}


def merge(graphdef: nnx.GraphDef, params: Params) -> nnx.Module:
    """The module of `graphdef` with `params` as its parameters (also inside jit, on traced arrays)."""
    flat = [(tuple(path.split("/")), nnx.Param(value)) for path, value in params.items()]
    return nnx.merge(graphdef, nnx.from_flat_state(flat))


def input_shape(name: str) -> tuple[int, ...]:
    """The shape of one input image of the model called `name`."""
    return get_model(name).input_shape
