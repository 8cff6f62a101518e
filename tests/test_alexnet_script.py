"""The script that compresses and evaluates an AlexNet, on weights and images made here."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from xorjax import load
from xorjax.container import decode_weights
from xorjax.models import alexnet

SCRIPT = Path(__file__).parents[1] / "scripts" / "alexnet.py"
N_CLASSES = 7
NARROW = {
    "TORCHVISION": replace(alexnet.TORCHVISION, widths=(4, 6, 6, 4, 4), hidden=40),
    "CAFFE": replace(alexnet.CAFFE, widths=(6, 8, 6, 8, 4), hidden=40),
}


@pytest.fixture
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def narrow(monkeypatch):
    for name, family in NARROW.items():
        monkeypatch.setattr(alexnet, name, family)


def torchvision_weights(family, n_classes=N_CLASSES):
    rng, arrays = np.random.default_rng(0), {}
    for layer, prefix in zip(alexnet.LAYERS, family.prefixes, strict=True):
        shape = family.shape(layer, n_classes)
        arrays[f"{prefix}.weight"] = rng.standard_normal(shape, np.float32) * np.float32(
            np.sqrt(2 / np.prod(shape[1:]))
        )
        arrays[f"{prefix}.bias"] = np.zeros(shape[:1], np.float32)
    return arrays


def caffe_weights(family, n_classes=N_CLASSES):
    rng, arrays = np.random.default_rng(0), {}
    for layer in alexnet.LAYERS:
        shape = family.shape(layer, n_classes)
        arrays[f"{layer}/0"] = rng.standard_normal(shape, np.float32) * np.float32(0.05)
        arrays[f"{layer}/1"] = np.zeros(shape[:1], np.float32)
    return arrays


def images_in(directory, n_classes=N_CLASSES, per_class=(2, 1)):
    """Folders as ImageNet's, the first with some images of several shapes and kinds."""
    rng = np.random.default_rng(1)
    for label in range(n_classes):
        folder = directory / f"n{label:08d}"
        folder.mkdir(parents=True)
        for i in range(per_class[label] if label < len(per_class) else 0):
            pixels = rng.integers(0, 256, (300 + 20 * i, 280, 3), np.uint8)
            suffix = "png" if i else "JPEG"
            Image.fromarray(pixels if i else pixels[:, :, 0]).save(folder / f"image{i}.{suffix}")
        (folder / "notes.txt").write_text("no image")
    return directory


@pytest.mark.parametrize("options", [[], ["--mask-codec", "xor", "--index-bits", "0.2"]])
def test_the_two_layers_are_compressed_and_measured(script, narrow, tmp_path, capsys, options):
    weights, out = torchvision_weights(NARROW["TORCHVISION"]), tmp_path / "out.xorjax"
    save_file(weights, tmp_path / "alexnet.safetensors")
    images = images_in(tmp_path / "val")
    arguments = [str(tmp_path / "alexnet.safetensors"), str(out), "--imagenet", str(images), *options]
    assert script["main"]([*arguments, "--batch-size", "2", "--json", str(tmp_path / "said.json")]) == 0
    said = json.loads((tmp_path / "said.json").read_text())
    assert (said["family"], said["n_images"]) == ("torchvision", 3)
    assert [layer["name"] for layer in said["layers"]] == ["classifier.1.weight", "classifier.4.weight"]
    assert all(abs(layer["prune_rate"] - 0.91) < 0.02 for layer in said["layers"])
    assert all(0 <= said[when]["top1"] <= said[when]["top5"] <= 1 for when in ("before", "after"))
    file = load(out)
    assert set(file.params) == set(weights) - set(file.layers)
    assert all(np.array_equal(file.params[name], weights[name]) for name in file.params)
    assert "top1" in capsys.readouterr().out


def test_accuracies_are_those_of_the_weights_in_the_file(script, narrow, tmp_path):
    """What the file decodes to has, as float weights, the file's accuracies, whatever the size of a batch."""
    save_file(torchvision_weights(NARROW["TORCHVISION"]), tmp_path / "a.safetensors")
    images = images_in(tmp_path / "val", per_class=(4, 4, 4, 4))
    first = [str(tmp_path / "a.safetensors"), str(tmp_path / "a.xorjax"), "--imagenet", str(images)]
    script["main"]([*first, "--batch-size", "4", "--json", str(tmp_path / "a.json")])
    file = load(tmp_path / "a.xorjax")
    decoded = {name: decode_weights(layer) for name, layer in file.layers.items()}
    save_file({**file.params, **decoded}, tmp_path / "b.safetensors")
    again = [str(tmp_path / "b.safetensors"), str(tmp_path / "b.xorjax"), "--imagenet", str(images)]
    script["main"]([*again, "--batch-size", "5", "--json", str(tmp_path / "b.json")])
    a, b = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "ab")
    assert a["after"] == b["before"] == b["after"]
    assert a["n_images"] == 16


def test_caffe_s_arrays_in_an_npz(script, narrow, tmp_path):
    weights = caffe_weights(NARROW["CAFFE"])
    np.savez(tmp_path / "caffe.npz", **weights)
    images = images_in(tmp_path / "val")
    arguments = [str(tmp_path / "caffe.npz"), str(tmp_path / "out.xorjax"), "--imagenet", str(images)]
    assert (
        script["main"](
            [*arguments, "--images", "2", "--batch-size", "2", "--json", str(tmp_path / "said.json")]
        )
        == 0
    )
    said = json.loads((tmp_path / "said.json").read_text())
    assert (said["family"], said["n_images"]) == ("caffe", 2)
    assert [layer["name"] for layer in said["layers"]] == ["fc6/0", "fc7/0"]


def test_given_masks_are_kept(script, narrow, tmp_path):
    weights = torchvision_weights(NARROW["TORCHVISION"])
    rng = np.random.default_rng(2)
    masks = {
        name: rng.random(weights[name].shape) < 0.2 for name in ("classifier.1.weight", "classifier.4.weight")
    }
    save_file(weights, tmp_path / "alexnet.safetensors")
    save_file(masks, tmp_path / "masks.safetensors")
    out = tmp_path / "out.xorjax"
    arguments = [
        str(tmp_path / "alexnet.safetensors"),
        str(out),
        "--masks",
        str(tmp_path / "masks.safetensors"),
    ]
    assert script["main"](arguments) == 0
    layers = load(out).layers
    assert all(np.array_equal(layers[name].mask, mask) for name, mask in masks.items())


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, ["--imagenet", "{tmp}/val"], "val has 3 folders, expected one for each of 7 classes"),
        ({}, ["--imagenet", "{tmp}/empty"], "empty holds no images (.jpeg, .jpg, .png)"),
        ({}, ["--imagenet", "{tmp}/nowhere"], "nowhere"),
        ({}, ["--index-bits", "0.2"], "--index-bits is for codebook, lowrank, xor"),
        ({}, ["--prune-rate", "1.5"], "prune_rate"),
        ({"classifier.4.weight": np.zeros((3, 3), np.float32)}, [], "shape [3, 3], expected [40, 40]"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(script, narrow, tmp_path, capsys, change, options, message):
    save_file(torchvision_weights(NARROW["TORCHVISION"]) | change, tmp_path / "alexnet.safetensors")
    images_in(tmp_path / "val", n_classes=3)
    images_in(tmp_path / "empty", per_class=())
    arguments = [str(tmp_path / "alexnet.safetensors"), str(tmp_path / "out.xorjax")]
    assert script["main"]([*arguments, *(option.format(tmp=tmp_path) for option in options)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("alexnet: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "out.xorjax").exists()


def test_nothing_is_unpickled_or_overwritten(script, narrow, tmp_path, capsys):
    np.savez(tmp_path / "objects.npz", **{"fc6/0": np.array([{}], object)})
    (tmp_path / "alexnet.pth").write_bytes(b"")
    (tmp_path / "there").write_bytes(b"mine")
    for name, out, message in (
        ("objects.npz", "out", "allow_pickle=False"),
        ("alexnet.pth", "out", "nothing is unpickled"),
        ("alexnet.pth", "there", "there already"),
        ("alexnet.pth", "nowhere/out", "there is no directory"),
    ):
        assert script["main"]([str(tmp_path / name), str(tmp_path / out)]) == 1
        assert message in capsys.readouterr().err
    assert (tmp_path / "there").read_bytes() == b"mine"


def test_images_are_read_as_the_frameworks_read_them(script, tmp_path):
    """The middle of the picture, in its channels' own scale."""
    pixels = np.zeros((512, 768, 3), np.uint8)
    pixels[:, 128:640, 0] = 200
    Image.fromarray(pixels).save(tmp_path / "image.png")
    torchvision = script["read_as_torchvision"](tmp_path / "image.png")
    assert torchvision.shape == (224, 224, 3)
    np.testing.assert_allclose(
        torchvision[:, 20:200],
        np.broadcast_to([(200 / 255 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], (224, 180, 3)),
        rtol=1e-5,
    )
    caffe = script["read_as_caffe"](tmp_path / "image.png")
    assert caffe.shape == (227, 227, 3)
    np.testing.assert_allclose(caffe[113, 113], [-104.00699, -116.66877, 200 - 122.67891], rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "top"), [((374, 500), 16), ((500, 374), 59), ((343, 256), 60), ((512, 767), 16)]
)
def test_the_short_side_becomes_256_pixels(script, tmp_path, monkeypatch, shape, top):
    """As torchvision: the long side 256 long / short rounded down, the crop's corner to the nearest, halves to even."""
    sizes = []
    crop = script["crop"]
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / "image.png")
    monkeypatch.setitem(
        script["read_as_torchvision"].__globals__,
        "crop",
        lambda image, side: sizes.append(image.shape) or crop(image, side),
    )
    assert script["read_as_torchvision"](tmp_path / "image.png").shape == (224, 224, 3)
    assert sizes == [(*(256 * n // min(shape) for n in shape), 3)]
    assert min(sizes[0][:2]) == 256
    rows = np.broadcast_to(np.arange(sizes[0][0])[:, None, None], sizes[0])
    assert crop(rows, 224)[0, 0, 0] == top


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "0", "--imagenet", "."], "--images is 0, expected at least 1"),
        (["--images", "5"], "--imagenet, which is not given"),
        (["--batch-size", "0"], "--batch-size is 0, expected at least 1"),
    ],
)
def test_options_are_checked_before_the_work(script, tmp_path, capsys, options, message):
    assert script["main"]([str(tmp_path / "none.safetensors"), str(tmp_path / "out"), *options]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_real_names_and_shapes(script, tmp_path):
    """61 million weights drawn at random: torchvision's shapes, 1000 classes."""
    save_file(torchvision_weights(alexnet.TORCHVISION, 1000), tmp_path / "alexnet.safetensors")
    images = images_in(tmp_path / "val", 1000)
    arguments = [
        str(tmp_path / "alexnet.safetensors"),
        str(tmp_path / "out.xorjax"),
        "--imagenet",
        str(images),
    ]
    assert script["main"]([*arguments, "--batch-size", "4", "--json", str(tmp_path / "said.json")]) == 0
    said = json.loads((tmp_path / "said.json").read_text())
    assert [layer["shape"] for layer in said["layers"]] == [[4096, 9216], [4096, 4096]]
    totals = said["totals"]
    assert totals["value_bits"] / totals["n_weights"] < 0.0955
