"""Stage 4: encode the bit planes of a quantized model and write the compressed file."""

from collections.abc import Mapping

import numpy as np

from xorjax import paths
from xorjax.config.schema import Config
from xorjax.container import CompressedLayer, CompressedModel, layer_bits, save
from xorjax.masks import EncodedMask, encode_mask
from xorjax.params import layer_name
from xorjax.pipeline.build import Build
from xorjax.pipeline.evaluate_file import metadata_of
from xorjax.pipeline.mask import load_index
from xorjax.pipeline.quantize import Quantized

READS = ("data.name", "model", "task", "code", "mask.codec")
NEEDS = ("pruned", "quantize")


def encode(build: Build) -> dict:
    """The compressed file, and for each layer the bits of its streams as written."""
    plan, config = build.plan, build.config
    model = Quantized.load(build.upstream(plan.quantize))
    if plan.mask is None:
        index = {path: _index(mask, config.for_layer(layer_name(path))) for path, mask in model.masks.items()}
    else:
        index = load_index(build.upstream(plan.mask), config.mask.codec)
    compressed = compress(model, index, config)
    file = build.work / paths.COMPRESSED
    save(file, compressed)
    return {
        "layers": {path: _describe(layer) for path, layer in compressed.layers.items()},
        "file_bytes": file.stat().st_size,
        "n_parameters": compressed.n_parameters,
    }


def _index(mask: np.ndarray, own: Config) -> EncodedMask | None:
    """The mask, but for a layer that was trained in code with all its weights."""
    return None if own.code.trained and mask.all() else encode_mask(mask, own.mask.codec)


def compress(model: Quantized, index: Mapping[str, EncodedMask | None], config: Config) -> CompressedModel:
    """Every quantized layer in its code; the other parameters and the state as they are."""
    layers = {}
    for path, planes in model.planes.items():
        of_layer = index[path]
        mask = None if of_layer is None else of_layer.mask
        values = config.for_layer(layer_name(path)).code.encode(planes, mask)
        layers[path] = CompressedLayer(path, values, of_layer, model.scales[path])
    return CompressedModel(layers, model.uncoded, metadata_of(config))


def _describe(layer: CompressedLayer) -> dict:
    return layer_bits(layer) | {
        "n_weights": layer.n_weights,
        "n_kept": int(layer.mask.sum()),
        "n_planes": layer.values.n_planes,
        "code": layer.code.id,
        "mask_codec": None if layer.index is None else layer.index.codec,
        "matrix_bits": sum(8 * array.nbytes for array in layer.values.given().values()),
        "columns": layer.code.describe(layer.values),
    }
