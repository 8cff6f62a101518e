"""A weight array held as code: words, mask and scales as a pytree, decoded where it is used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from xorjax.codec.code import EncodedPlanes
from xorjax.codec.weights import weigh
from xorjax.decoding.listed import is_listed, pack_listed
from xorjax.decoding.masks import PackedMask, decode_mask, pack_mask
from xorjax.decoding.planes import DECODERS, PackedPlanes, decode_planes, kept, pack
from xorjax.masks.base import EncodedMask

Tree = TypeVar("Tree")


class _Kind(type):
    """jax's functions refuse what is no array by its type, and say no more of it than the type's repr."""

    def __repr__(cls) -> str:
        return f"{super().__repr__()[:-1]}, of which jax.numpy takes w.to_array()>"


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class CodedWeight(metaclass=_Kind):
    """`mask * sum_q scales[q] * (2 bits[q] - 1)`, held as its code.

    A pytree of packed integers and the scales, for jit, vmap, scan and checkpoints; shape and code are static, so that
    weights of one shape and prune rate mostly share a compilation. `x @ w` is as `jnp.matmul(x, w.to_array())`. It has
    a gradient with respect to x and to the scales. Functions of jax.numpy take `w.to_array()`, inside jit too.

    Attributes:
        planes: the bit planes.
        mask: None where every weight is kept, or the planes tell which are; `kept` is right either way. One whose codec
            decodes inside jit stays encoded; others are a bitmap.
        scales: floats; one array a plane, which broadcasts over the weights.
    """

    planes: PackedPlanes
    mask: PackedMask | None
    # Any type: functions of pytrees put sizes, shardings or None in place of arrays.
    scales: Any

    @classmethod
    def of(
        cls,
        values: EncodedPlanes,
        index: EncodedMask | None,
        scales: Float[np.ndarray, "planes ..."] | Float[Array, "planes ..."],
        listed: bool = True,
    ) -> "CodedWeight":
        """Puts the parts of a layer on the default device.

        With `listed`, a pruned matrix that so multiplies faster is held as lists of its kept weights
        (`decoding.listed`), decoded once; without, as its code.

        Raises:
            ValueError: the mask or the scales do not fit the planes, or a stream is malformed; it is named.
        """
        for misfit in values.misfits(None if index is None else index.shape, scales.shape):
            raise ValueError(f"coded weight: {misfit}")
        if index is None:
            return cls(pack(values, None), None, jnp.asarray(scales))
        mask = pack_mask(index)
        n_kept = int(np.count_nonzero(index.mask))
        if listed and mask.codec == "bitmap" and is_listed(values.shape, scales.shape, n_kept):
            return cls(pack_listed(values, index.mask), None, jnp.asarray(scales))
        return cls(pack(values, index.mask), mask, jnp.asarray(scales))

    def __repr__(self) -> str:
        arrays = all(hasattr(leaf, "size") for leaf in (self.scales, *jax.tree.leaves(self)))
        if not arrays or not isinstance(self.planes, PackedPlanes):
            # A tree of sizes, axes or shardings.
            return f"CodedWeight({self.planes}, {self.mask}, scales={self.scales})"
        rate = f"{8 * self.nbytes / self.size:.4g} bits/weight in memory"
        return f"CodedWeight({self.shape}, {self.dtype}, {self.planes}, {self.mask}, {rate})"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.planes.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """That of the scales and of `to_array`."""
        return self.scales.dtype

    @property
    def nbytes(self) -> int:
        """What it takes in memory: words and their look-up tables, mask, scales. A file takes less: docs/method.md."""
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self))

    @property
    def T(self) -> "Array | CodedWeight":
        """The array's transpose: a weight of shape (out, in), as torch has them, is used as `x @ w.T`.

        In the trained code with slicing `inputs_last` it is a coded weight again, of the same words.
        """
        transposed: Any = getattr(DECODERS.get(self.planes.decoder), "transposed", lambda planes: None)
        if self.mask is None and (planes := transposed(self.planes)) is not None:
            return CodedWeight(planes, None, self.scales.swapaxes(1, 2))
        return self.to_array().T

    def astype(self, dtype: Any) -> "CodedWeight":
        """The same code with scales of another dtype."""
        return replace(self, scales=self.scales.astype(dtype))

    def kept(self) -> Bool[Array, "*shape"] | None:
        """The mask, True where a weight is kept; None where all are."""
        return kept(self.planes) if self.mask is None else decode_mask(self.mask)

    def to_array(self) -> Float[Array, "*shape"]:
        """The weight, equal to the quantized one bit for bit; planes are summed in float32, or wider."""
        mask = self.kept()
        wide = self.dtype if self.dtype.itemsize > 4 else jnp.float32
        return weigh(decode_planes(self.planes, mask), self.scales.astype(wide), mask).astype(self.dtype)

    def __getitem__(self, key: Any) -> "CodedWeight | Array":
        """`w[...]` is the coded weight itself, as of an `nnx.Param`; with any other key, that part of the array."""
        return self if key is Ellipsis else self.to_array()[key]

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        return iter(self.to_array())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The weight as NumPy's array, outside jit.

        Raises:
            TypeError: it is traced.
            ValueError: `copy` is False; decoding makes a new array.
        """
        if copy is False:
            raise ValueError("a coded weight is decoded to a new array; copy must not be False")
        try:
            return np.asarray(self.to_array(), dtype)
        except jax.errors.TracerArrayConversionError as error:
            told = "inside jit a coded weight is no NumPy array; jax.numpy takes w.to_array()"
            raise TypeError(told) from error

    def __rmatmul__(self, x: Any) -> Array:
        """`x @ self`, by the code's own product where that pays.

        Raises:
            ValueError: the last axis of x is not the weight's last but one.
        """
        given, own = np.shape(x), self.shape
        if given and own and given[-1] != own[-2:][0]:
            turned = self.ndim == 2 and given[-1] == own[-1]
            raise ValueError(
                f"x @ w: x has shape {given} and the coded weight {own}; the last axis of x must be {own[-2:][0]}"
                f"{'; a weight of (out, in), as torch has them, is used as x @ w.T' if turned else ''}"
            )
        decoder: Any = DECODERS.get(self.planes.decoder)
        if hasattr(decoder, "product") and decoder.pays(given, self.planes, self.mask, self.scales):
            return decoder.product(jnp.asarray(x), self.planes, self.mask, self.scales)
        return jnp.matmul(x, self.to_array())

    def __matmul__(self, x: Any) -> Array:
        """`self @ x`, decoded.

        Raises:
            ValueError: the last axis of x but one is not the weight's last.
        """
        given, own = np.shape(x), self.shape
        if given and own and given[-2:][0] != own[-1]:
            raise ValueError(
                f"w @ x: the coded weight has shape {own} and x {given}; the last axis of x but one must be {own[-1]}"
            )
        return self.to_array() @ x

    # NumPy's `x @ w` comes here. jax's goes to this class as long as it has no `__jax_array__`, which is asked first.
    def __array_ufunc__(self, function: np.ufunc, method: str, *given: Any, **settings: Any) -> Array:
        if function is not np.matmul or method != "__call__" or settings:
            self._refuse()
        return self @ given[1] if given[0] is self else self.__rmatmul__(given[0])

    def _refuse(self, *_: Any) -> Any:
        raise TypeError("a coded weight has no arithmetic but @; w.to_array() has, inside jit too")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = __pow__ = __rpow__ = (
        _refuse
    )
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _refuse
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refuse
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = __bool__ = __contains__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __eq__(self, other: object) -> Any:
        """Whether they are one object. Numbers and arrays would be compared by element, which is arithmetic."""
        if self is not other and (isinstance(other, int | float | complex) or hasattr(other, "__array__")):
            self._refuse()
        return self is other

    __hash__ = object.__hash__

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            arrays_have = hasattr(jax.Array, name) or hasattr(np.ndarray, name)
            if arrays_have and not hasattr(CodedWeight, name):
                raise AttributeError(f"a coded weight has no {name}; w.to_array() has, inside jit too")
            return object.__getattribute__(self, name)


def form(tree: Tree) -> Tree:
    """The tree with each coded weight decoded to its array; for use inside jit.

    Takes whatever holds the weights: a dict of parameters, an `nnx.State`, a tuple. A mapping that jax does not know,
    such as the weights of a loaded file, becomes a dict.
    """
    return jax.tree.map(_formed, tree, is_leaf=lambda leaf: isinstance(leaf, CodedWeight))


def _formed(leaf: Any) -> Any:
    if isinstance(leaf, Mapping):
        return {name: form(held) for name, held in leaf.items()}
    return leaf.to_array() if isinstance(leaf, CodedWeight) else leaf
