"""Is a LeNet-5 training step (forward, backward, Adam) as fast here as in PyTorch?

    uv run --extra bench python benchmarks/train_step.py

Both train the same net on the same uint8 batches, from the same weights, alternating in blocks of steps within
one run; the ratio is between the medians. PyTorch runs eagerly in its default layout, with its default Adam
and with its fused one; the better of the two is the peer. Before any timing, one step of each must agree.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from xorjax.config.schema import OptimConfig
from xorjax.data.batches import Batch
from xorjax.models import Network, create_model
from xorjax.tasks.images import ImagesTask
from xorjax.train.optimizer import Optimizer
from xorjax.train.step import Forward, TrainState, train_step

LEARNING_RATE = 1e-3
# What moves the ratio. torch's threads spin for a while after each of its blocks, at the cost of the next program,
# unless OMP_WAIT_POLICY=passive.
SETTINGS = ("XLA_FLAGS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GLIBC_TUNABLES")


class TorchLeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(functional.max_pool2d(self.conv1(x), 2))
        x = functional.relu(functional.max_pool2d(self.conv2(x), 2))
        return self.fc2(functional.relu(self.fc1(x.flatten(1))))


class Jax:
    name = "xorjax"

    def __init__(self, params: dict[str, jax.Array], network: Network):
        config = OptimConfig(
            learning_rate=LEARNING_RATE, schedule="constant", warmup_epochs=0.0, label_smoothing=0.0
        )
        self.forward = Forward(ImagesTask(), network)
        self.optimizer, self.key = Optimizer(config, steps_per_epoch=1), jax.random.key(0)
        params = {key: jax.numpy.array(value, copy=True) for key, value in params.items()}
        self.masks = dict.fromkeys(params)
        self.state = TrainState(params, {}, self.optimizer.init(params), jax.numpy.int32(0))

    def steps(self, batches: list[Batch]) -> float:
        losses = []
        for batch in batches:
            self.state, metrics = train_step(
                self.forward, self.optimizer, self.state, ({}, {}), self.masks, self.key, batch
            )
            losses.append(metrics["loss"])
        jax.block_until_ready(self.state)
        return float(losses[-1])

    def kernel(self) -> np.ndarray:
        return np.asarray(self.state.params["conv1/kernel"])


class Torch:
    def __init__(self, params: dict[str, jax.Array], fused: bool):
        self.name = f"torch, {'fused' if fused else 'default'} Adam"
        self.model = TorchLeNet5()
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                layer, kind = name.split(".")
                value = np.array(params[f"{layer}/{'kernel' if kind == 'weight' else 'bias'}"])
                if value.ndim == 4:
                    value = value.transpose(3, 2, 0, 1)
                elif layer == "fc1" and value.ndim == 2:
                    # Our images are flattened height, width, channel; torch's channel, height, width.
                    value = value.reshape(4, 4, 50, 500).transpose(2, 0, 1, 3).reshape(800, 500).T
                elif value.ndim == 2:
                    value = value.T
                parameter.copy_(torch.from_numpy(value.copy()))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, fused=fused)

    def steps(self, batches: list[Batch]) -> float:
        loss = torch.zeros(())
        for batch in batches:
            images = torch.from_numpy(batch.inputs).permute(0, 3, 1, 2).float() / 255.0
            labels = torch.from_numpy(batch.targets).long()
            self.optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
        return loss.item()

    def kernel(self) -> np.ndarray:
        return self.model.conv1.weight.detach().numpy().transpose(2, 3, 1, 0)


def batches_of(n: int, batch_size: int, rng: np.random.Generator) -> list[Batch]:
    return [
        Batch(
            rng.integers(0, 256, (batch_size, 28, 28, 1), dtype=np.uint8),
            rng.integers(0, 10, batch_size).astype(np.int32),
            np.ones(batch_size, np.float32),
        )
        for _ in range(n)
    ]


def compare(batch_size: int, n_steps: int, n_blocks: int) -> list[dict]:
    """Alternate blocks of `n_steps` and print each program's median time a step; a ratio for each peer."""
    network, params, _ = create_model("lenet5", seed=0)
    ours = Jax(params, network)
    peers = [Torch(params, fused=False), Torch(params, fused=True)]
    batches = batches_of(n_steps, batch_size, np.random.default_rng(0))
    losses = [program.steps(batches[:1]) for program in (ours, *peers)]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-4)
    for peer in peers:
        np.testing.assert_allclose(ours.kernel(), peer.kernel(), atol=1e-4)
    programs = [ours, *peers]
    seconds = {program.name: [] for program in programs}
    for block in range(n_blocks + 1):
        for program in programs:
            began = time.perf_counter()
            program.steps(batches)
            if block:  # the first block warms up
                seconds[program.name].append((time.perf_counter() - began) / n_steps)
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = np.percentile(seconds[name], [10, 90]) * 1e3
        print(f"batch {batch_size:4}  {name:20} {median * 1e3:7.2f} ms a step  (10-90 %: {spread.round(2)})")
    best = min(medians[peer.name] for peer in peers)
    print(f"batch {batch_size:4}  ratio xorjax / torch   {medians['xorjax'] / best:.3f}   (target <= 1.15)")
    rows = []
    for peer in peers:
        ratios = np.divide(seconds["xorjax"], seconds[peer.name])
        ends = {"median": np.median(ratios), "least": ratios.min(), "most": ratios.max()}
        rows.append(
            {"batch": batch_size, "peer": peer.name} | {key: float(value) for key, value in ends.items()}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="torch's threads; jax takes all")
    parser.add_argument("--steps", type=int, default=10, help="steps in a block")
    parser.add_argument("--blocks", type=int, default=15, help="timed blocks of each program")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--json", type=Path, help="write the ratios there")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = {name: os.environ.get(name, "") for name in SETTINGS}
    print(
        f"jax {jax.__version__} on {jax.default_backend()}, torch {torch.__version__} with "
        f"{torch.get_num_threads()} threads, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}, {settings}"
    )
    found = []
    for batch_size in arguments.batch_sizes:
        found += compare(batch_size, arguments.steps, arguments.blocks)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
