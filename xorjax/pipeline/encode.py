"""Stage 4: encode the bit planes of a quantized model over GF(2) and write the compressed file."""

from xorjax import paths
from xorjax.codec.xor import encode as encode_plane
from xorjax.config.schema import Config
from xorjax.container import CompressedLayer, CompressedModel, layer_bits, save
from xorjax.gf2.network import XorNetwork
from xorjax.masks import EncodedMask, encode_mask
from xorjax.pipeline.build import Build
from xorjax.pipeline.mask import load_index
from xorjax.pipeline.plan import xor_shape
from xorjax.pipeline.quantize import Quantized

READS = ("data.name", "model", "task", "code", "mask.codec")


def encode(build: Build) -> dict:
    """The compressed file, and for each layer the bits of its streams as written."""
    plan, config = build.plan, build.config
    model = Quantized.load(build.upstream(plan.quantize))
    if plan.mask is None:
        masks = {path: encode_mask(mask, config.mask.codec) for path, mask in model.masks.items()}
    else:
        masks = load_index(build.upstream(plan.mask), config.mask.codec)
    compressed = compress(model, masks, config)
    file = build.work / paths.COMPRESSED
    save(file, compressed)
    return {
        "layers": {path: _describe(layer) for path, layer in compressed.layers.items()},
        "file_bytes": file.stat().st_size,
    }


def compress(model: Quantized, masks: dict[str, EncodedMask], config: Config) -> CompressedModel:
    """Every quantized layer encoded with one XOR network; the other parameters as they are."""
    xor = config.xor
    net = XorNetwork.random(*xor_shape(config), seed=xor.seed, taps=xor.taps)
    layers = {}
    for path, planes in model.planes.items():
        encoded = tuple(
            encode_plane(
                plane,
                masks[path].mask,
                net,
                method=xor.method,
                patch_format=xor.patch_format,
                patch_block=xor.patch_block,
                encoder=xor.encoder,
                layout=xor.layout,
                layout_seed=xor.layout_seed if xor.layout == "shuffled" else 0,
            )
            for plane in planes
        )
        layers[path] = CompressedLayer(path, encoded, masks[path], model.scales[path])
    return CompressedModel(layers, model.params, {"model": config.model.name, "dataset": config.data.name})


def _describe(layer: CompressedLayer) -> dict:
    n_patches = [plane.n_patches for plane in layer.planes]
    return layer_bits(layer) | {
        "n_weights": layer.n_weights,
        "n_kept": int(layer.mask.sum()),
        "n_planes": len(layer.planes),
        "n_slices": sum(counts.size for counts in n_patches),
        "n_bounded": sum(plane.n_bounded for plane in layer.planes),
        "n_patches": sum(int(counts.sum()) for counts in n_patches),
        "xor_sha256": layer.net.sha256,
    }
