"""A pruned matrix as lists of its kept weights: a product skips the others.

A kept weight is one word, its input and the bits of its planes; a scale an output or one a plane is applied to sums,

    y[n] = sum over planes of scale[n] sum over kept inputs k of +-x[k]

so that a kept weight costs one look-up and one addition. The list of an output is cut into runs of one length, filled
up with the input after the last, whose x is 0. The lists replace code and mask, which are decoded for them once.
"""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from xorjax.codec.code import EncodedPlanes, Mask
from xorjax.decoding.masks import PackedMask
from xorjax.decoding.planes import DECODERS, PackedPlanes, Words
from xorjax.decoding.products import BLOCK, UNROLLED, multiply, wide

MOST_KEPT = 0.2
"""A weight that keeps so many and fewer multiplies faster by lists than by decoding: `benchmarks/product.py`, S=.8."""
_LONGEST = 64
_RUNS = 6
"""An output has about so many runs, half of one of which is filler."""


@DECODERS.register
class ListedDecoder:
    """Words: "entries" (steps, UNROLLED, runs), input << planes | bits, and "outputs", ascending, of each run."""

    id = "listed"

    @staticmethod
    def pack(values: EncodedPlanes, mask: Mask | None) -> tuple[Words, None]:
        mask = np.ones(values.shape, bool) if mask is None else mask
        return list_kept(values.code.decode(values, mask), mask), None

    @staticmethod
    def decode(planes: PackedPlanes, mask: Bool[Array, "*shape"] | None) -> Bool[Array, "planes *shape"]:
        bits = _scatter(planes) >> 1
        return jnp.stack([(bits >> p & 1).astype(bool) for p in range(planes.n_planes)])

    @staticmethod
    def kept(planes: PackedPlanes) -> Bool[Array, "*shape"]:
        """The mask."""
        return _scatter(planes) != 0

    @staticmethod
    def pays(x_shape: tuple[int, ...], planes: PackedPlanes, mask: PackedMask | None, scales: Array) -> bool:
        return scales.shape[1] == 1

    @staticmethod
    def product(
        x: Shaped[Array, "*batch inputs"],
        planes: PackedPlanes,
        mask: PackedMask | None,
        scales: Float[Array, "planes ..."],
    ) -> Float[Array, "*batch outputs"]:
        """`jnp.matmul(x, W)` but for the order of its sums."""
        return multiply(_add_kept, x, planes, scales)


def is_listed(shape: tuple[int, ...], scales: tuple[int, ...], n_kept: int) -> bool:
    """Whether a weight with planes of this shape is best held as lists; they are not looked up on a GPU."""
    if len(shape) != 2 or scales[1] != 1 or jax.default_backend() != "cpu":
        return False
    return n_kept <= MOST_KEPT * prod(shape) and (shape[0] + 1) << scales[0] <= 1 << 32


def pack_listed(values: EncodedPlanes, mask: Mask) -> PackedPlanes:
    """The planes of a pruned matrix, and its mask.

    Raises:
        ValueError: a stream is malformed; it is named.
    """
    words, format = ListedDecoder.pack(values, mask)
    return PackedPlanes(words, ListedDecoder.id, values.shape, values.n_planes, format)


def list_kept(
    planes: Bool[np.ndarray, "planes inputs outputs"], mask: Bool[np.ndarray, "inputs outputs"]
) -> Words:
    """The words."""
    (n_inputs, n_outputs), n_planes = mask.shape, len(planes)
    outputs, inputs = np.nonzero(mask.T)
    n_kept = np.bincount(outputs, minlength=n_outputs)
    length = UNROLLED * int(np.clip(round(n_kept.mean() / _RUNS / UNROLLED), 1, _LONGEST // UNROLLED))
    n_runs = -(-n_kept // length)
    # Rounded up, so that weights of one shape and prune rate mostly share a compilation.
    step = max(1, n_outputs // 8)
    total = -(-max(1, n_runs.sum()) // step) * step
    dtype = np.uint16 if (n_inputs + 1) << n_planes <= 1 << 16 else np.uint32
    entries = np.full(total * length, n_inputs << n_planes, dtype)
    words = inputs << n_planes
    for p, plane in enumerate(planes):
        words |= plane[inputs, outputs].astype(words.dtype) << p
    begins = (np.cumsum(n_runs) - n_runs) * length - (np.cumsum(n_kept) - n_kept)
    entries[np.arange(len(words)) + begins[outputs]] = words
    of_run = np.full(total, n_outputs - 1, np.uint16 if n_outputs <= 1 << 16 else np.int32)
    of_run[: n_runs.sum()] = np.repeat(np.arange(n_outputs), n_runs)
    return {
        "entries": jnp.asarray(entries.reshape(total, length).T.reshape(-1, UNROLLED, total)),
        "outputs": jnp.asarray(of_run),
    }


def _scatter(planes: PackedPlanes) -> Shaped[Array, "inputs outputs"]:
    """0 for a pruned weight; of a kept one 1, and its bits from bit 1 on."""
    entries = planes.words["entries"].astype(jnp.uint32)
    n_inputs, n_outputs = planes.shape
    held = (entries & ((1 << planes.n_planes) - 1)) << 1 | 1
    narrow = held.astype(jnp.uint8 if planes.n_planes < 8 else jnp.uint32)
    inputs, outputs = (
        (entries >> planes.n_planes).astype(jnp.int32),
        planes.words["outputs"].astype(jnp.int32),
    )
    # The row past the last takes the filler.
    empty = jnp.zeros((n_inputs + 1, n_outputs), narrow.dtype)
    return empty.at[inputs, outputs].set(narrow, mode="promise_in_bounds")[:n_inputs]


def _add_kept(x: Float[Array, "batch inputs"], planes: PackedPlanes, p: int) -> Float[Array, "batch outputs"]:
    entries, outputs = planes.words["entries"], planes.words["outputs"].astype(jnp.int32)
    n_inputs, n_outputs = planes.shape
    x = x.astype(wide(x.dtype))

    def places(own: Shaped[Array, " runs"]) -> Array:
        own = own.astype(jnp.uint32)
        if planes.n_planes > 1:
            own = own >> planes.n_planes << 1 | (own >> p & 1)
        return own.astype(jnp.int32)

    def add_up(x: Float[Array, "block inputs"]) -> Float[Array, "outputs block"]:
        rows = jnp.pad(x.T, ((0, 1), (0, 0)))
        signed = jnp.stack([-rows, rows], axis=1).reshape(2 * (n_inputs + 1), -1)
        # Of one example the rows are numbers, looked up at several places at once.
        signed = signed[:, 0] if len(x) == 1 else signed

        def add(total: Array, step: Array) -> tuple[Array, None]:
            for own in step:
                total += signed.at[places(own)].get(mode="promise_in_bounds")
            return total, None

        empty = jnp.zeros((len(outputs), *signed.shape[1:]), x.dtype)
        total = jax.lax.scan(add, empty, entries)[0]
        y = jax.ops.segment_sum(total, outputs, n_outputs, indices_are_sorted=True)
        return y.reshape(n_outputs, len(x))

    if len(x) == 1:
        return add_up(x).T
    n_blocks = -(-len(x) // BLOCK)
    blocks = jnp.pad(x, ((0, n_blocks * BLOCK - len(x)), (0, 0))).reshape(n_blocks, BLOCK, n_inputs)
    return jax.lax.map(lambda block: add_up(block).T, blocks).reshape(-1, n_outputs)[: len(x)]
