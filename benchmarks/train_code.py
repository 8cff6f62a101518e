"""What does a training step of LeNet-5 cost with FC1 in trained code words?

    python benchmarks/train_code.py

The step is the pipeline's (forward, backward, Adam), all layers trained along, without distillation. Programs take
turns, a block of steps each, and a ratio is a block's time over the dense step's of the same turn.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.codec.trained import TrainedCode
from xorjax.config.schema import OptimConfig
from xorjax.data.batches import Batch
from xorjax.models import Network, create_model
from xorjax.params import Params
from xorjax.program import keep_freed_memory
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.quantize.latent import LatentLayer
from xorjax.quantize.soft import SoftLayer
from xorjax.quantize.words import WordForm
from xorjax.tasks.images import ImagesTask
from xorjax.train.optimizer import Optimizer
from xorjax.train.step import Forward, TrainState, plain, train_step

LAYER = "fc1/kernel"
GOAL = 1.6
"""Of search."""


class Program:
    """A training of the network, with the layer as `words` says; None: dense."""

    def __init__(self, network: Network, params: Params, words: str | None, code: TrainedCode):
        shape, masks = params[LAYER].shape, dict.fromkeys(params)
        params = {path: jnp.array(value, copy=True) for path, value in params.items()}
        form = plain
        if words == "search":
            form = BinaryForm.of({LAYER: Binarizer(1, "channel", code=code)})
            masks[LAYER] = jnp.ones(shape, bool)
        elif words is not None:
            layer = {"latent": LatentLayer, "soft": SoftLayer}[words](shape, 1, "channel", code)
            form = WordForm(((LAYER, layer),), BinaryForm.of({}))
            params, masks = form.start(params, masks, 0)
        self.forward, self.masks = Forward(ImagesTask(), network, form), masks
        self.optimizer = Optimizer(OptimConfig(warmup_epochs=0.0), steps_per_epoch=1000)
        self.state = TrainState(params, {}, self.optimizer.init(params), jnp.int32(0))

    def seconds(self, batches: list[Batch]) -> float:
        key, start = jax.random.key(0), time.perf_counter()
        for batch in batches:
            self.state, _ = train_step(
                self.forward, self.optimizer, self.state, ({}, {}), self.masks, key, batch
            )
        jax.block_until_ready(self.state)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-out", type=int, nargs="+", default=(20, 34, 89, 160))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10, help="of a block")
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the ratios there")
    arguments = parser.parse_args()
    keep_freed_memory()
    print(f"{jax.devices()[0].device_kind}; jax {jax.__version__}; step / dense step: median (least to most)")
    found = [row for n_out in arguments.n_out for row in measure(n_out, arguments)]
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def measure(n_out: int, arguments: argparse.Namespace) -> list[dict]:
    """A row for each way to train the code."""
    network, params, _ = create_model("lenet5", seed=0)
    ways = (None, "search", "latent", "soft")
    programs = {words: Program(network, params, words, TrainedCode(8, n_out)) for words in ways}
    rng, valid = np.random.default_rng(0), np.ones(arguments.batch, np.float32)
    batches = [
        Batch(
            rng.integers(0, 256, (arguments.batch, 28, 28, 1), np.uint8),
            rng.integers(0, 10, arguments.batch, np.int32),
            valid,
        )
        for _ in range(arguments.steps)
    ]
    taken = [
        {words: program.seconds(batches) for words, program in programs.items()}
        for _ in range(arguments.blocks + 1)
    ][1:]
    rows = []
    for words in ways[1:]:
        ratios = np.array([of_turn[words] / of_turn[None] for of_turn in taken])
        print(
            f"8 -> {n_out:3d}  {words:7s} {np.median(ratios):5.2f} ({ratios.min():.2f} to {ratios.max():.2f})",
            flush=True,
        )
        rows.append(
            {
                "name": f"8 -> {n_out} {words}",
                "n_out": n_out,
                "words": words,
                "peer": "dense step",
                "ratio_min": float(ratios.min()),
                "ratio_median": float(np.median(ratios)),
                "ratio_max": float(ratios.max()),
                "goal": GOAL if words == "search" else None,
            }
        )
    return rows


if __name__ == "__main__":
    main()
