"""Small checkpoints in shards, for the tests of compressing one shard by shard."""

import json

import numpy as np

from xorjax.container.tensors import to_bytes

LAYERS = ("a.weight", "b.weight", "c.weight", "d.weight", "e.weight")
SHARDS = {
    "model-00001-of-00003": ("a.weight", "a.bias", "b.weight"),
    "model-00002-of-00003": ("c.weight", "d.weight", "d.bias"),
    "model-00003-of-00003": ("e.weight", "table"),
}


def tensors():
    rng = np.random.default_rng(7)
    made = {name: rng.standard_normal((60 + i, 80), dtype=np.float32) for i, name in enumerate(LAYERS)}
    made["c.weight"] = made["c.weight"].astype(np.float16)
    biases = {"a.bias": np.arange(60, dtype=np.float32), "d.bias": np.ones(63, np.float16)}
    return made | biases | {"table": np.arange(12).reshape(3, 4)}


def write_checkpoint(directory):
    directory.mkdir()
    made = tensors()
    for shard, names in SHARDS.items():
        data = to_bytes({name: made[name] for name in names}, {"format": "pt"})
        (directory / f"{shard}.safetensors").write_bytes(data)
    places = {name: f"{shard}.safetensors" for shard, names in SHARDS.items() for name in names}
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def write_masks(path):
    rng = np.random.default_rng(8)
    made = tensors()
    path.write_bytes(to_bytes({name: rng.random(made[name].shape) < 0.2 for name in LAYERS}, {}))
    return path
