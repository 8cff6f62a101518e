"""The trained XOR code inside jit: a slice is looked up among the vectors of all code words, or never formed.

`x @ W` needs no weights: for each group of n_out inputs the partial sums with all 2^n_in vectors are computed once,
and each output adds one of them a slice,

    P[g, c] = sum over o of x[g n_out + o] t_c[o]        y[n] = scale[n] sum over g of P[g, code[g, n]]

so that n_out weights cost one look-up and one addition.
"""

from dataclasses import dataclass, replace
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.backend import backends
from jaxtyping import Array, Bool, Float, Shaped, UInt

from xorjax.codec.code import EncodedPlanes, Mask
from xorjax.codec.trained import TrainedCode, is_turned, outputs_last
from xorjax.decoding.look_up import has_kernel, look_up
from xorjax.decoding.masks import PackedMask
from xorjax.decoding.planes import DECODERS, PackedPlanes, Words
from xorjax.decoding.products import BLOCK, UNROLLED, multiply, wide
from xorjax.masks.base import matrix_shape


@dataclass(frozen=True)
class TrainedFormat:
    """What the words mean."""

    n_in: int
    n_out: int
    slicing: str = "inputs"


@DECODERS.register
class TrainedDecoder:
    """Words: "codes" (planes, groups, outputs), a byte or two each, and "vectors", the slice of each code word."""

    id = "trained"

    @staticmethod
    def pack(values: EncodedPlanes, mask: Mask | None) -> tuple[Words, TrainedFormat]:
        code = values.code
        assert isinstance(code, TrainedCode)
        n_outputs = matrix_shape(outputs_last(values.shape, code.slicing))[1]
        codes = np.stack(list(code.read(values))).reshape(values.n_planes, -1, n_outputs)
        words = {
            "codes": jnp.asarray(codes.astype(np.uint8 if code.n_in <= 8 else np.uint16)),
            "vectors": jnp.asarray(code.vectors),
        }
        return words, TrainedFormat(code.n_in, code.n_out, code.slicing)

    @staticmethod
    def decode(planes: PackedPlanes, mask: Bool[Array, "*shape"] | None) -> Bool[Array, "planes *shape"]:
        codes, vectors = planes.words["codes"], planes.words["vectors"]
        turned = outputs_last(planes.shape, planes.format.slicing)
        n_inputs, n_outputs = matrix_shape(turned)
        # (planes, groups, n_out, outputs)
        bits = jnp.moveaxis(vectors[codes], -1, 2)
        matrix = bits.reshape(planes.n_planes, -1, n_outputs)[:, :n_inputs]
        formed = matrix.reshape(planes.n_planes, *turned)
        return jnp.moveaxis(formed, -1, 1) if is_turned(planes.shape, planes.format.slicing) else formed

    @staticmethod
    def transposed(planes: PackedPlanes) -> PackedPlanes | None:
        """The planes of the transpose, in the same words, where that has its inputs first; otherwise None."""
        if len(planes.shape) != 2 or not is_turned(planes.shape, planes.format.slicing):
            return None
        return replace(planes, shape=planes.shape[::-1], format=replace(planes.format, slicing="inputs"))

    @staticmethod
    def pays(x_shape: tuple[int, ...], planes: PackedPlanes, mask: PackedMask | None, scales: Array) -> bool:
        """Whether look-ups multiply, and faster than by decoding: `benchmarks/product.py` measures it.

        On a CPU, in multiplications of the dense product for a weight and example: partial sums take 2^n_in for each
        output, a look-up as long as 12; decoding takes 4 a weight more than the multiplication. On a GPU, up to 16
        examples where the kernel multiplies and the vectors are not more than the outputs: this is not measured.
        """
        matrix = len(planes.shape) == 2 and planes.format.slicing == "inputs"
        if mask is not None or not matrix or scales.shape[1] != 1:
            return False
        batch, format = max(1, prod(x_shape[:-1])), planes.format
        if jax.default_backend() != "cpu":
            by_kernel = "cuda" in backends() and has_kernel(scales.dtype)
            return by_kernel and batch <= 16 and 2**format.n_in <= planes.shape[1]
        return 2**format.n_in / planes.shape[1] + 12 / format.n_out <= 0.8 + 4 / batch

    @staticmethod
    def product(
        x: Shaped[Array, "*batch inputs"],
        planes: PackedPlanes,
        mask: PackedMask | None,
        scales: Float[Array, "planes ..."],
    ) -> Float[Array, "*batch outputs"]:
        """`jnp.matmul(x, W)` but for the order of its sums."""
        return multiply(_look_up, x, planes, scales)


def _look_up(x: Float[Array, "batch inputs"], planes: PackedPlanes, p: int) -> Float[Array, "batch outputs"]:
    kernels = {"cuda": _by_kernel} if has_kernel(x.dtype) else {}
    codes, vectors = planes.words["codes"][p], planes.words["vectors"]
    return jax.lax.platform_dependent(x, codes, vectors, **kernels, default=_by_gathers)


def _by_gathers(
    x: Float[Array, "batch inputs"],
    codes: UInt[Array, "groups outputs"],
    vectors: Bool[Array, "code_words n_out"],
) -> Float[Array, "batch outputs"]:
    x, codes, n_out = x.astype(wide(x.dtype)), codes.astype(jnp.int32), vectors.shape[1]
    signs = jnp.where(vectors, jnp.ones((), x.dtype), -jnp.ones((), x.dtype))
    n_groups, n_outputs = codes.shape
    if len(x) == 1:
        groups = jnp.pad(x[0], (0, n_groups * n_out - x.shape[1])).reshape(n_groups, n_out)
        sums = jnp.matmul(groups, signs.T, precision="highest")
        return jnp.take_along_axis(sums, codes, axis=1, mode="promise_in_bounds").sum(0)[None]
    block, n_steps = min(len(x), BLOCK), -(-n_groups // UNROLLED)
    n_blocks, n_padded = -(-len(x) // block), n_steps * UNROLLED
    # A group of padding adds what zeros sum to.
    codes = jnp.pad(codes, ((0, n_padded - n_groups), (0, 0))).reshape(n_steps, UNROLLED, n_outputs)
    room = (0, n_blocks * block - len(x)), (0, n_padded * n_out - x.shape[1])
    groups = jnp.pad(x, room).reshape(n_blocks, block, n_steps, UNROLLED, n_out)

    def add(total: Array, step: tuple[Array, Array]) -> tuple[Array, None]:
        for sums, own in zip(*step, strict=True):
            total += sums.at[own].get(mode="promise_in_bounds")
        return total, None

    def add_groups(of_block: Float[Array, "block steps unrolled n_out"]) -> Array:
        sums = jnp.einsum("bsuo,co->sucb", of_block, signs, precision="highest")
        return jax.lax.scan(add, jnp.zeros((n_outputs, block), x.dtype), (sums, codes))[0].T

    return jax.lax.map(add_groups, groups).reshape(-1, n_outputs)[: len(x)]


def _by_kernel(
    x: Float[Array, "batch inputs"],
    codes: UInt[Array, "groups outputs"],
    vectors: Bool[Array, "code_words n_out"],
    interpret: bool = False,
) -> Float[Array, "batch outputs"]:
    """As `_by_gathers`; of narrow x the partial sums are as narrow, since reading them takes most of the time."""
    n_groups, n_out = len(codes), vectors.shape[1]
    signs = jnp.where(vectors, jnp.ones((), x.dtype), -jnp.ones((), x.dtype))
    block = min(1 << (len(x) - 1).bit_length(), BLOCK)
    room = (0, -len(x) % block), (0, n_groups * n_out - x.shape[1])
    blocks = jnp.pad(x, room).reshape(-1, block, n_groups, n_out)

    def add_groups(of_block: Float[Array, "block groups n_out"]) -> Array:
        of_groups = {"precision": "highest", "preferred_element_type": wide(x.dtype)}
        sums = jnp.einsum("bgo,co->gcb", of_block, signs, **of_groups).astype(x.dtype)
        return look_up(sums, codes, interpret).astype(wide(x.dtype))

    return jax.lax.map(add_groups, blocks).reshape(-1, codes.shape[1])[: len(x)]
