"""Bits by what they buy, counted from the bytes that `save` writes, never from a formula."""

from xorjax.container.model import CompressedLayer, CompressedModel
from xorjax.container.tensors import describe, make_header
from xorjax.container.write import content, layer_tensors
from xorjax.streams import BIT_STREAMS


def layer_bits(layer: CompressedLayer) -> dict[str, int]:
    """The layer's bits: code words, patches (counts and positions), mask and scales.

    M is not among them: it is stored once for all layers that use it. Nor is the header: see `file_bytes`.
    """
    counts: dict[str, int] = dict.fromkeys(BIT_STREAMS, 0)
    for part, array in layer_tensors(layer).items():
        counts[_kind(part)] += 8 * array.nbytes
    return counts


def bits(model: CompressedModel) -> dict[str, int]:
    """The sums of `layer_bits` over the compressed layers."""
    counts = [layer_bits(layer) for layer in model.layers.values()]
    return {kind: sum(count[kind] for count in counts) for kind in BIT_STREAMS}


def file_bytes(model: CompressedModel) -> int:
    """The size of the file that `save` writes: all layers, M, uncompressed parameters and the header."""
    tensors, metadata = content(model)
    header, _ = make_header(describe(tensors), metadata)
    return len(header) + sum(array.nbytes for array in tensors.values())


def _kind(part: str) -> str:
    if part == "scales":
        return "scale_bits"
    if part.startswith("mask/"):
        return "index_bits"
    return "code_bits" if part.endswith("/codes") else "patch_bits"
