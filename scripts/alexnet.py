"""Compress FC5 and FC6 of your own AlexNet and, given ImageNet's validation images, measure it before and after.

    python scripts/alexnet.py alexnet.safetensors small.xorjax
    python scripts/alexnet.py alexnet.npz small.xorjax --mask-codec xor --index-bits 0.18 --imagenet ILSVRC2012/val

WEIGHTS is a safetensors file or an .npz of arrays, by torchvision's names (features.0.weight, classifier.1.weight) or
Caffe's (conv1/0, fc6/0; what is between layer and blob may be / . _ or -). A state dict of torch becomes one with

    safetensors.torch.save_file(torchvision.models.alexnet(weights="DEFAULT").state_dict(), "alexnet.safetensors")

What the paper calls FC5 and FC6 (9216x4096 and 4096x4096; Caffe's fc6 and fc7) is pruned by magnitude, binarized with a
scale an output and encoded; all other tensors are kept. OUT is a file as `xorjax compress` writes it. DIR has a folder
a class, in the order of ImageNet's wordnet ids, as many as the network has outputs.

**Nothing is fine-tuned.** The paper trains between pruning steps and after binarizing, without which a network does not
survive S = .91: accuracies are those of the file as it is. To prune or binarize with training of your own give its
weights, zeros where they are pruned, and `--masks FILE` with the masks by the same names.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from xorjax import CompressSpec, XorCode, compress, form, load, save
from xorjax.compression import Mapped, open_checkpoint
from xorjax.compression.describe import describe_layer, totals
from xorjax.errors import UserError
from xorjax.masks import APPROXIMATE_CODECS, MASK_CODECS
from xorjax.models.alexnet import Family, find_family, logits, params_of, shaped
from xorjax.program import run_program

LAYERS = ("fc6", "fc7")
SUFFIXES = (".jpeg", ".jpg", ".png")
MEAN = np.array((0.485, 0.456, 0.406), np.float32)
DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)
CAFFE_MEAN = np.array((104.00698793, 116.66876762, 122.67891434), np.float32)
"""Of blue, green and red, which is the order of Caffe's channels."""


forward = jax.jit(logits, static_argnames="family")


class AlexNetError(UserError, ValueError):
    """Weights or images that cannot be used; one sentence."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, metavar="WEIGHTS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--prune-rate", type=float, default=0.91, metavar="S")
    parser.add_argument(
        "--masks", type=Path, metavar="FILE", help="safetensors of masks, in place of the rate"
    )
    parser.add_argument("--mask-codec", default="ans_rc", choices=MASK_CODECS)
    parser.add_argument("--index-bits", type=float, help="what an approximate mask may cost a weight")
    parser.add_argument("--n-in", type=int, default=64)
    parser.add_argument("--imagenet", type=Path, metavar="DIR", help="validation images, a folder a class")
    parser.add_argument("--images", type=int, metavar="N", help="that many of them, evenly spread")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--force", action="store_true", help="overwrite OUT")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    try:
        result = run(arguments)
    except (UserError, OSError) as error:
        print(f"alexnet: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.images is not None and arguments.imagenet is None:
        raise AlexNetError("--images says how many of those of --imagenet, which is not given")
    for option, number in (("--images", arguments.images), ("--batch-size", arguments.batch_size)):
        if number is not None and number < 1:
            raise AlexNetError(f"{option} is {number}, expected at least 1")
    if arguments.out.exists() and not arguments.force:
        raise AlexNetError(f"{arguments.out} is there already; --force overwrites it")
    for path in filter(None, (arguments.out, arguments.json)):
        if not path.absolute().parent.is_dir():
            raise AlexNetError(f"{path}: there is no directory {path.absolute().parent}")
    arrays = read_arrays(arguments.weights)
    family, places = find_family(arrays)
    tensors = shaped(arrays, family, places)
    n_classes = tensors[places["fc8"][1]].size
    # Before the work: what is wrong with the images is told at once.
    images = (
        [] if arguments.imagenet is None else find_images(arguments.imagenet, n_classes, arguments.images)
    )
    names = tuple(places[layer][0] for layer in LAYERS)
    started = time.perf_counter()
    model = compress(tensors, spec_of(arguments, names), {"source": f"{family.id}'s AlexNet"})
    seconds = time.perf_counter() - started
    save(arguments.out, model)
    layers = [describe_layer(layer) for _, layer in sorted(model.layers.items())]
    print(f"{family.id}'s AlexNet, {sum(tensor.size for tensor in tensors.values())} parameters")
    for line in (*layers, totals(layers) | {"name": "both", "prune_rate": None}):
        print(line_of(line))
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {size / 1e6:.1f} MB; compressed in {seconds:.0f} s, decoded again and equal")
    result = {"family": family.id, "layers": layers, "totals": totals(layers), "file_bytes": size}
    if images:
        file = load(arguments.out)
        # Decoded from the file's streams inside jit.
        decoded = {**file.params, **jax.jit(form)(dict(file.weights))}
        for when, weights in (("before", tensors), ("after", decoded)):
            params = jax.jit(partial(params_of, family=family, places=places))(weights)
            result[when] = evaluate(params, family, images, arguments.batch_size)
            shares = ", ".join(f"{name} {100 * share:.2f} %" for name, share in result[when].items())
            print(f"{when}: {shares} of {len(images)} images", flush=True)
        result["n_images"] = len(images)
    return result


def spec_of(arguments: argparse.Namespace, names: tuple[str, ...]) -> CompressSpec:
    settings: dict[str, Any] = {"prune_rate": arguments.prune_rate}
    if arguments.masks is not None:
        given = open_checkpoint(arguments.masks)
        settings = {"masks": Mapped(given, given)}
    if arguments.index_bits is not None:
        if arguments.mask_codec not in APPROXIMATE_CODECS:
            raise AlexNetError(
                f"--index-bits is for {', '.join(APPROXIMATE_CODECS)}: an exact mask costs what it does"
            )
        settings["mask_options"] = {"index_bits": arguments.index_bits}
    code = XorCode(n_in=arguments.n_in, patch_format="enumerative")
    return CompressSpec(names, scale="row", code=code, mask_codec=arguments.mask_codec, **settings)


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of a safetensors file or an .npz by name; nothing is unpickled.

    Raises:
        AlexNetError: it is neither, or holds pickled objects.
    """
    if path.suffix == ".npz":
        try:
            with np.load(path) as file:
                return {name: file[name] for name in file.files}
        except ValueError as error:
            raise AlexNetError(f"{path}: {error}") from error
    if path.suffix in (".pt", ".pth", ".npy", ".pkl", ".caffemodel"):
        raise AlexNetError(
            f"{path}: expected safetensors or an .npz of arrays, since nothing is unpickled here"
        )
    checkpoint = open_checkpoint(path)
    return Mapped(checkpoint, checkpoint)


def line_of(layer: Mapping[str, Any]) -> str:
    bits = {kind: layer[f"{kind}_bits"] / layer["n_weights"] for kind in ("value", "index", "scale")}
    rate = "" if layer["prune_rate"] is None else f", S={layer['prune_rate']:.4f}"
    parts = ", ".join(f"{kind} {n:.4f}" for kind, n in bits.items())
    return f"{layer['name']}{rate}: {parts}, total {layer['bits_per_weight']:.4f} bits a weight"


def find_images(directory: Path, n_classes: int, limit: int | None) -> list[tuple[Path, int]]:
    """The images and their labels: the number of their folder, in the order of the folders' names.

    Raises:
        AlexNetError: there are not as many folders as classes, or no images.
    """
    folders = sorted(path for path in directory.iterdir() if path.is_dir())
    if len(folders) != n_classes:
        raise AlexNetError(
            f"{directory} has {len(folders)} folders, expected one for each of {n_classes} classes"
        )
    images = [
        (path, label)
        for label, folder in enumerate(folders)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]
    if not images:
        raise AlexNetError(f"{directory} holds no images ({', '.join(SUFFIXES)})")
    if limit is None or limit >= len(images):
        return images
    return [images[i * len(images) // limit] for i in range(limit)]


def evaluate(
    params: Mapping[str, Any], family: Family, images: Sequence[tuple[Path, int]], batch_size: int
) -> dict[str, float]:
    """The shares of images whose class is the first, and among the first five."""
    first = five = 0
    for pixels, labels in batches(images, batch_size, READERS[family.id]):
        # The last batch is filled up, so that all have one shape.
        filled = np.concatenate([pixels, np.zeros((batch_size - len(pixels), *pixels.shape[1:]), np.float32)])
        outputs = np.asarray(forward(params, filled, family))[: len(labels)]
        ranked = np.argsort(-outputs, axis=1, kind="stable")[:, :5] == labels[:, None]
        first, five = first + int(ranked[:, 0].sum()), five + int(ranked.any(axis=1).sum())
    return {"top1": first / len(images), "top5": five / len(images)}


def batches(
    images: Sequence[tuple[Path, int]], size: int, read: Callable[[Path], np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with ThreadPoolExecutor() as pool:
        for begin in range(0, len(images), size):
            paths, labels = zip(*images[begin : begin + size], strict=True)
            yield np.stack(list(pool.map(read, paths))), np.array(labels)


def read_as_torchvision(path: Path) -> np.ndarray:
    """The shorter side to 256 pixels, the middle 224x224, each channel normalized."""
    with Image.open(path) as image:
        width, height = image.size
        short = min(width, height)
        sides = 256 * width // short, 256 * height // short
        resized = image.convert("RGB").resize(sides, Image.Resampling.BILINEAR)
    middle = crop(np.asarray(resized, np.float32), 224)
    return (middle / np.float32(255) - MEAN) / DEVIATION


def read_as_caffe(path: Path) -> np.ndarray:
    """256x256 pixels whatever the shape, the middle 227x227, blue first, less the mean of each channel."""
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)
    return crop(np.asarray(resized, np.float32), 227)[:, :, ::-1] - CAFFE_MEAN


def crop(image: np.ndarray, side: int) -> np.ndarray:
    top, left = (round((n - side) / 2) for n in image.shape[:2])
    return image[top : top + side, left : left + side]


READERS = {"torchvision": read_as_torchvision, "caffe": read_as_caffe}


if __name__ == "__main__":
    sys.exit(run_program(main, "alexnet: error"))
