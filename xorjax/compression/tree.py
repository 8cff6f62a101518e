"""Arrays by name out of whatever holds them: nested mappings and lists, a module's state, a training state."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from xorjax.compression.errors import CompressError
from xorjax.container.tensors import Raw
from xorjax.masks import EncodedMask


def arrays_of(tree: Any, what: str, whole: str) -> dict[str, Any]:
    """The leaves of a tree as NumPy has them, by their paths; a `Raw` and an `EncodedMask` as they are.

    Args:
        tree: mappings, lists, tuples and dataclasses of jax however nested.
        what: one of its arrays, for messages.
        whole: all of it.

    Raises:
        CompressError: it is no tree, two leaves have one path, or a leaf is no array, or one without values.
    """
    arrays: dict[str, Any] = {}
    for path, leaf in _leaves(tree):
        if not path:
            raise CompressError(
                f"{whole} is a {type(tree).__name__}, expected arrays by name, in mappings and lists however nested; "
                "of a flax module give nnx.state(module), or nnx.state(module, nnx.Param)"
            )
        name = "/".join(path)
        if name in arrays:
            raise CompressError(f"{what} {name!r} is in the tree twice")
        arrays[name] = leaf if isinstance(leaf, Raw | EncodedMask) else _array(f"{what} {name!r}", leaf)
    return arrays


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves by their path; None and random keys of jax are none, and a variable of nnx is what it holds."""
    if hasattr(tree, "get_value"):
        tree = tree.get_value()
    children = _children(tree)
    if children is not None:
        for name, child in children:
            names = name if isinstance(name, tuple) else (name,)
            yield from _leaves(child, (*path, *map(str, names)))
    elif not path or (tree is not None and not str(getattr(tree, "dtype", "")).startswith("key<")):
        yield path, tree


def _children(tree: Any) -> Iterable[tuple[Any, Any]] | None:
    """What a tree holds, by name; None of a leaf."""
    if isinstance(tree, Mapping):
        return tree.items()
    if isinstance(tree, list | tuple):
        return zip(getattr(tree, "_fields", range(len(tree))), tree, strict=True)
    if not is_dataclass(tree) or isinstance(tree, type) or hasattr(tree, "__array__"):
        return None
    # Only jax knows which fields of a dataclass are children, if it knows the dataclass. Importing it takes a second.
    from jax.tree_util import keystr, tree_flatten_with_path

    held, _ = tree_flatten_with_path(tree, is_leaf=lambda child: child is not tree)
    return [(keystr(path, simple=True), child) for path, child in held] if held[:1] != [((), tree)] else None


def _array(what: str, leaf: Any) -> np.ndarray:
    """A leaf as NumPy has it.

    Raises:
        CompressError: it is no array, or its values are not to be had.
    """
    try:
        array = np.asarray(leaf)
    except (TypeError, ValueError, RuntimeError) as error:
        from jax.errors import TracerArrayConversionError

        traced = isinstance(error, TracerArrayConversionError)
        told = "it is traced, expected values: outside jit" if traced else str(error).partition("\n")[0]
        raise CompressError(f"{what} cannot be read: {told}") from error
    if array.dtype == object:
        raise CompressError(f"{what} is a {type(leaf).__name__}, expected an array")
    return array
