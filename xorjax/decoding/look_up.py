"""Partial sums looked up on a GPU: a Pallas kernel, lowered by Triton.

XLA's own gather writes what it found before it is summed. Here a program has a block of outputs and a part of the
groups, reads a code word an output and group, and adds the sums that it names, `batch` beside each other; the parts are
summed after.
"""

from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, UInt

COLUMNS = 256
"""Outputs of a program."""
PARTS = 16
"""Into so many the groups are divided, so that narrow layers fill a GPU too."""


@cache
def is_available() -> bool:
    """Whether jax has the Triton backend of Pallas, which is to go."""
    return find_spec("jax.experimental.pallas.triton") is not None


def has_kernel(dtype: Any) -> bool:
    """Whether partial sums of x of this dtype are looked up by the kernel, on a GPU by CUDA.

    It adds in float32, too little for float64; and float16 holds no sums beyond 65,504.
    """
    return is_available() and jnp.dtype(dtype) in (jnp.float32, jnp.bfloat16)


def look_up(
    sums: Float[Array, "groups code_words batch"],
    codes: UInt[Array, "groups outputs"],
    interpret: bool = False,
) -> Float32[Array, "batch outputs"]:
    """For each output the sum over groups of `sums[group, code]`, in float32; `interpret` is for where there is no GPU.

    `batch` is a power of two.
    """
    from jax.experimental import pallas as pl  # half a second, which decoding need not wait for
    from jax.experimental.pallas import triton

    n_groups, _, batch = sums.shape
    n_outputs = codes.shape[1]
    each, n_blocks = -(-n_groups // PARTS), -(-n_outputs // COLUMNS)
    more = (0, each * PARTS - n_groups)
    # A group of padding has sums of 0.
    sums = jnp.pad(sums, (more, (0, 0), (0, 0)))
    codes = jnp.pad(codes, (more, (0, n_blocks * COLUMNS - n_outputs)))
    found = pl.pallas_call(
        partial(_add_part, each=each, batch=batch),
        grid=(PARTS, n_blocks),
        out_shape=jax.ShapeDtypeStruct((PARTS, n_blocks * COLUMNS, batch), jnp.float32),
        compiler_params=triton.CompilerParams(num_warps=4),
        interpret=interpret,
        name="look_up",
    )(sums, codes)
    return found.sum(0)[:n_outputs].T


def _add_part(sums, codes, found, *, each: int, batch: int) -> None:
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import triton

    part, block = pl.program_id(0), pl.program_id(1)
    columns = block * COLUMNS + jnp.arange(COLUMNS, dtype=jnp.int32)
    examples = jnp.arange(batch, dtype=jnp.int32)[None, :]

    def add(group, total):
        row = part * each + group
        code = triton.load(codes.at[row, columns]).astype(jnp.int32)
        return total + triton.load(sums.at[row, code[:, None], examples]).astype(jnp.float32)

    begin, end = jnp.int32(0), jnp.int32(each)
    total = jax.lax.fori_loop(begin, end, add, jnp.zeros((COLUMNS, batch), jnp.float32))
    triton.store(found.at[part, columns[:, None], examples], total)
