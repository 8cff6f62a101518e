"""Models by id, one a file: a static network, and its arrays as two flat dicts keyed "layer/param".

To add one, write a module in this package: an nnx module class under `@MODELS.register` with the attributes

- `id`, and `task`, the id of the task that it is for;
- `layers`: the names of its layers that have kernels, "block1/conv1";
- `following` (optional): for each kernel's path, the kernel that consumes its outputs; used by `prune.score=outgoing`;
- `blocks`, if its first parts can be run alone: their names in order, each that of the attribute which holds its
  layers. `__call__(x, start, stop)` then runs `blocks[start:stop]`; without, `__call__(x)` runs all.
- `multiplies_codes`, True if it multiplies by `xorjax.weights.matmul` and `conv` alone, so that coded weights are given
  to it as they are; those of other models are decoded before, inside jit.

The constructor takes `rngs`, and by name what it wants of what the task says of the data set (`Task.datasets`), such as
`n_classes`.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

from xorjax.errors import UserError
from xorjax.params import Params, State, layer_name
from xorjax.registry import Registry

MODELS: Registry[type[Any]] = Registry("xorjax.models", "model")
"""All models by id."""


class Memory(nnx.Variable):
    """What a model keeps of one batch for the next, where the next goes on with the same texts.

    Float32 zeros (1, ...) as it is made, and (batch, ...) once it has run. It starts at 0 in every epoch and every
    evaluation; no checkpoint and no file has it.
    """


KINDS: dict[str, type[nnx.Variable]] = {
    "params": nnx.Param,
    "state": nnx.BatchStat,
    "memory": Memory,
    "key": nnx.RngKey,
    "count": nnx.RngCount,
}
"""The kinds of variables that are handled. Random keys are derived from the step, and held nowhere."""


class ModelError(UserError, ValueError):
    """A model that cannot be trained as it is."""


@dataclass(frozen=True)
class Variable:
    """One of a model's variables: where it is, which of `KINDS`, its shape."""

    path: tuple[Any, ...]
    kind: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "/".join(map(str, self.path))


@dataclass(frozen=True)
class Network:
    """A model without its arrays: hashable, so that it can be a static argument of a jitted function.

    The graph for evaluation has no dropout and normalizes by running statistics.
    """

    training: nnx.GraphDef
    evaluation: nnx.GraphDef
    variables: tuple[Variable, ...]

    def split(self, arrays: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and state out of arrays by path that hold both."""
        params, state = (
            {variable.name: arrays[variable.name] for variable in self.variables if variable.kind == kind}
            for kind in ("params", "state")
        )
        return params, state

    def memory(self, batch_size: int) -> State:
        """The memory of a model that has read nothing yet."""
        return {
            variable.name: jnp.zeros((batch_size, *variable.shape[1:]), jnp.float32)
            for variable in self.variables
            if variable.kind == "memory"
        }


def create_model(id: str, seed: int, sizes: Mapping[str, Any] | None = None) -> tuple[Network, Params, State]:
    """`initialize` the model called `id`.

    Raises:
        ValueError: there is no such model.
    """
    return initialize(MODELS.find(id), seed, sizes)


def initialize(
    model: type[Any], seed: int, sizes: Mapping[str, Any] | None = None
) -> tuple[Network, Params, State]:
    """A model of this class made from `jax.random.key(seed)`; the network does not depend on the seed.

    Raises:
        ModelError: it has a variable of a kind that is not handled, or names a layer that it does not have; names it.
    """
    wanted = inspect.signature(model.__init__).parameters
    taken = {name: size for name, size in (sizes or {}).items() if name in wanted}
    module = model(rngs=nnx.Rngs(jax.random.key(seed)), **taken)
    training, held = nnx.split(module)
    arrays = [(path, _kind(path, variable), variable[...]) for path, variable in nnx.to_flat_state(held)]
    module.eval()
    variables = tuple(Variable(path, kind, array.shape) for path, kind, array in arrays)
    kernels = [layer_name(variable.name) for variable in variables if variable.path[-1] == "kernel"]
    for layer in getattr(model, "layers", ()):
        if layer not in kernels:
            raise ModelError(
                f"{model.__name__}.layers names {layer!r}, which has no kernel; {', '.join(kernels)} have"
            )
    network = Network(training, nnx.graphdef(module), variables)
    return network, *network.split({"/".join(map(str, path)): array for path, _, array in arrays})


def merge(
    network: Network, params: Mapping[str, Any], state: State | None = None, key: PRNGKeyArray | None = None
) -> nnx.Module:
    """The module with these parameters and this state. Works under jit.

    With a key, the training graph; without, the evaluation graph. A parameter may be any pytree.
    """
    held, flat = {**params, **(state or {})}, []
    for index, variable in enumerate(network.variables):
        match variable.kind:
            case "key":
                # Nothing draws in evaluation.
                own = jax.random.key(0) if key is None else jax.random.fold_in(key, index)
                value = jax.random.split(own, variable.shape) if variable.shape else own
            case "count":
                value = jnp.zeros(variable.shape, jnp.uint32)
            case "memory":
                value = held.get(variable.name, jnp.zeros(variable.shape, jnp.float32))
            case _:
                value = held[variable.name]
        flat.append((variable.path, value))
    return nnx.merge(network.evaluation if key is None else network.training, nnx.from_flat_state(flat))


def state_of(network: Network, module: nnx.Module) -> State:
    """What a forward pass left of the state and the memory.

    Raises:
        ModelError: the pass made a variable that the model did not have; names it.
    """
    flat = dict(nnx.to_flat_state(nnx.state(module)))
    for path in flat.keys() - {variable.path for variable in network.variables}:
        raise ModelError(
            f"the model's variable {'/'.join(map(str, path))!r} appears in the forward pass, where none may be made"
        )
    return {v.name: flat[v.path][...] for v in network.variables if v.kind in ("state", "memory")}


def run(module: Any, x: Array, start: int = 0, stop: int | None = None) -> Array:
    """The outputs of blocks `start` to `stop`; of the whole model, which need not have blocks, by default."""
    return module(x) if (start, stop) == (0, None) else module(x, start, stop)


def blocks_of(model: object) -> tuple[str, ...]:
    """The blocks that a model, or its class, states; () for none."""
    return getattr(model, "blocks", ())


def _kind(path: tuple[Any, ...], variable: nnx.Variable) -> str:
    for kind, cls in KINDS.items():
        if isinstance(variable, cls):
            return kind
    known = ", ".join(f"{'' if cls is Memory else 'nnx.'}{cls.__name__}" for cls in KINDS.values())
    raise ModelError(
        f"the model's variable {'/'.join(map(str, path))!r} is of kind {type(variable).__name__}, which xorjax does "
        f"not support; it must be one of {known}"
    )
