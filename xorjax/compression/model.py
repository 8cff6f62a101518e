"""A whole set of parameters: the layers that the patterns name are compressed, all others are kept as they are."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from xorjax.compression.checkpoint import Checkpoint, Mapped
from xorjax.compression.errors import CompressError
from xorjax.compression.layer import compress_layer
from xorjax.compression.spec import CompressSpec, check_spec
from xorjax.compression.tree import arrays_of
from xorjax.container import CompressedLayer, CompressedModel
from xorjax.container.model import check_params
from xorjax.container.tensors import DTYPES, FLOATS, dtype_id
from xorjax.errors import about
from xorjax.settings import nearest
from xorjax.tiles import Weights

HearLayer = Callable[[str, float], None]
"""Is told a layer's name and which fraction of it is done."""


def compress(
    params: Any,
    spec: CompressSpec,
    metadata: Mapping[str, str] | None = None,
    tell: HearLayer = lambda name, done: None,
) -> CompressedModel:
    """The compressed layers, and beside them the other arrays as they are.

    Takes NumPy's and JAX's arrays by name, in mappings, lists, tuples and dataclasses of jax however nested: names and
    indices are joined by "/", and so are the parts of a name that is a tuple. None and random keys are left out.
    `nnx.state(model)` and `train_state.params` are such trees. `spec.masks` may be nested likewise.
    A layer's weights are float16, bfloat16, float32 or float64, and are taken as float32.

        spec = CompressSpec(layers=("encoder.*.weight",), prune_rate=0.9, scale="row")
        save("model.xorjax", compress(params, spec))

    A weight of the loaded file takes part in any jitted function, decoded there from its streams:

        w = load("model.xorjax").weights["fc1/kernel"]
        forward = jax.jit(lambda x: jax.nn.relu(x @ w + bias))

    Raises:
        CompressError: a pattern matches no tensor, a layer is not of floats, has fewer than 2 dimensions, no weight or
            one that is not finite, its mask does not fit, an array is traced or deleted, or a file cannot hold a name
            or an array that is kept as it is; the message names the tensor.
    """
    check_spec(spec)
    arrays = arrays_of(params, "tensor", "params")
    check_params(arrays, metadata or {}, CompressError)
    matched = match_checkpoint(arrays, spec)
    kept = {name: array for name, array in arrays.items() if name not in matched}
    for name, array in kept.items():
        with about(f"tensor {name!r}", CompressError):
            dtype_id(array)
    weights = [Weights.of(name, arrays[name]) for name in matched]
    return CompressedModel(_layers(weights, spec, tell), kept, dict(metadata or {}))


def compress_checkpoint(
    checkpoint: Checkpoint, spec: CompressSpec, tell: HearLayer = lambda name, done: None
) -> CompressedModel:
    """As `compress`, reading the weights from their files in pieces, and the other tensors when they are asked for.

    Raises:
        CompressError: as `compress`.
    """
    matched = match_checkpoint(checkpoint, spec)
    kept = Mapped(checkpoint, sorted(checkpoint.keys() - set(matched)))
    weights = [weights_of(checkpoint, name) for name in matched]
    return CompressedModel(_layers(weights, spec, tell), kept, dict(checkpoint.metadata))


def weights_of(checkpoint: Checkpoint, name: str) -> Weights:
    return Weights(name, checkpoint[name].shape, checkpoint[name].read)


def match_checkpoint(tensors: Mapping[str, Any], spec: CompressSpec) -> list[str]:
    """The tensors that are compressed, in the order in which they are: that of their names.

    Raises:
        CompressError: a pattern matches none, one of them is not of floats, or a mask has the name of no tensor. The
            mask of a tensor that is not compressed is not looked at.
    """
    check_spec(spec)
    matched: set[str] = set()
    for pattern in spec.layers:
        found = {name for name in tensors if fnmatchcase(name, pattern)}
        if not found:
            close = get_close_matches(pattern, tensors, n=3, cutoff=0)
            near = f"; nearest: {', '.join(close)}" if close else ""
            raise CompressError(f"layers: {pattern!r} matches none of {len(tensors)} tensors{near}")
        matched |= found
    matched -= {name for name in matched if any(fnmatchcase(name, pattern) for pattern in spec.skip)}
    if not matched:
        raise CompressError(f"skip: {', '.join(spec.skip)} leaves none of the layers")
    for pattern in spec.per_layer:
        if not any(fnmatchcase(name, pattern) for name in matched):
            raise CompressError(
                f"per_layer: {pattern!r} matches no layer; the nearest is {nearest(pattern, sorted(matched))}"
            )
    if spec.masks is not None and (strange := sorted(spec.masks.keys() - tensors.keys())):
        raise CompressError(
            f"masks: {strange[0]!r} is the mask of no layer, expected masks by the names of layers: "
            f"{', '.join(sorted(matched)[:8])}"
        )
    for name in sorted(matched):
        if tensors[name].dtype not in {DTYPES[id] for id in FLOATS}:
            raise CompressError(
                f"tensor {name!r} has dtype {tensors[name].dtype}, expected one of {', '.join(FLOATS)}: narrow the "
                "patterns, or skip it"
            )
    return sorted(matched)


def _layers(weights: list[Weights], spec: CompressSpec, tell: HearLayer) -> dict[str, CompressedLayer]:
    return {w.name: compress_layer(w, spec, lambda done, name=w.name: tell(name, done)) for w in weights}
