"""Bits by what they buy, counted from the bytes that `save` writes, never from a formula."""

from xorjax.container.model import CompressedLayer, CompressedModel
from xorjax.container.tensors import describe, make_header
from xorjax.container.write import content
from xorjax.streams import BIT_STREAMS


def layer_bits(layer: CompressedLayer) -> dict[str, int]:
    """The layer's bits: code words, patches (counts and positions), mask and scales.

    What layers have in common, such as M, is not among them: it is stored once. Nor is the header: see `file_bytes`.
    """
    index = {} if layer.index is None else layer.index.nbits
    counts = {
        **layer.values.bits,
        "index_bits": sum(index.values()),
        "scale_bits": 8 * layer.scales.nbytes,
    }
    return {kind: counts[kind] for kind in BIT_STREAMS}


def bits(model: CompressedModel) -> dict[str, int]:
    """The sums of `layer_bits` over the compressed layers."""
    counts = [layer_bits(layer) for layer in model.layers.values()]
    return {kind: sum(count[kind] for count in counts) for kind in BIT_STREAMS}


def file_bytes(model: CompressedModel) -> int:
    """The size of the file that `save` writes: all layers, what they share, uncompressed parameters and the header."""
    tensors, metadata = content(model)
    header, _ = make_header(describe(tensors), metadata)
    return len(header) + sum(array.nbytes for array in tensors.values())
