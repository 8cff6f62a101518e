# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Trained codes
#
# The code of notebook 01 stores signs that are there already: it solves equations for each slice, and what it cannot
# meet becomes a patch. The code `trained` works the other way round. Eight bits, through a fixed network of XOR gates,
# give one of 256 vectors of `n_out` signs, and the *network is trained* so that every slice of a layer is one of them.
# There is no mask, there are no patches, and a layer takes exactly `8 / n_out` bits a weight, and a scale for each
# output.
#
# Here is a slice as one of 256 vectors, a layer trained in three ways, its file, and a product that forms no weight.

# %%
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import galois
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import xorjax
from xorjax import CompressSpec, TrainedCode, compress
from xorjax.config.schema import DataConfig, OptimConfig
from xorjax.container import decode_weights, layer_bits
from xorjax.gf2.vectors import draw_rows
from xorjax.models import create_model, merge
from xorjax.prune.masks import full_masks
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.quantize.latent import LatentLayer
from xorjax.quantize.soft import SoftLayer
from xorjax.quantize.words import WordForm
from xorjax.tasks.images import ImagesTask
from xorjax.train import Forward, Recipe, plain, predict, score, train

here = Path.cwd()
ROOT = next(folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file())

# %% [markdown]
# ## 1. A slice is one of 256 vectors
#
# `M` has `n_out` rows of 8 bits, drawn from a seed. A code word c is 8 bits, and its vector is `M c` over GF(2), where
# a 1 stands for +1 and a 0 for -1. galois says the same as `code.vectors`.

# %% tags=["exact"]
code = TrainedCode(n_in=8, n_out=20)
M = galois.GF2(draw_rows(code.n_in, code.n_out, code.seed, code.taps).astype(np.uint8))
words = galois.GF2((np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint8))

assert np.array_equal(np.asarray(words @ M.T) == 1, code.vectors)
for c in (0, 1, 2, 3):
    print(f"code word {c:3}:", "".join("+" if bit else "-" for bit in code.vectors[c]))
print(
    "the vector of 3 is that of 1 XOR that of 2:",
    np.array_equal(code.vectors[1] ^ code.vectors[2], code.vectors[3]),
)

# %% [markdown]
# A slice of float weights w takes the vector t that is nearest up to a scale, the one with the largest `t . w`: all 256
# are tried, by one matrix product.

# %% tags=["exact"]
rng = np.random.default_rng(0)
w = rng.standard_normal((20, 1)).astype(np.float32)  # twenty inputs of one output: one slice
t = 2.0 * code.vectors - 1
best = int((t @ w[:, 0]).argmax())
(found,), _ = code.nearest(w)

assert found == best
agree = (code.vectors[best] == (w[:, 0] > 0)).sum()
print(f"nearest of 256 is code word {best}: {agree} of 20 signs agree with the slice's, ", end="")
print(
    f"which make up {np.abs(w[:, 0])[code.vectors[best] == (w[:, 0] > 0)].sum() / np.abs(w).sum():.0%} of its magnitude"
)

# %% [markdown]
# So a code word is a rough picture of a slice, rougher the longer the slice. Of random weights it keeps this share of
# the signs, and so much of the weights' energy is explained by scale times signs; signs alone, one bit a weight,
# explain 2 / pi of a Gaussian.


# %%
def explained(n_out, n_slices=4000):
    """Signs that agree, and 1 - |w - a t|^2 / |w|^2 at the best scale a, for Gaussian slices."""
    w = rng.standard_normal((n_out, n_slices)).astype(np.float32)
    own = TrainedCode(8, n_out)
    signs = 2.0 * own.project(w) - 1
    return ((signs > 0) == (w > 0)).mean(), (w * signs).mean() ** 2 / (w**2).mean()


lengths = (8, 10, 20, 40, 80, 160)
shares = [explained(n) for n in lengths]
print("n_out  bits/weight  signs that agree  energy explained")
for n, (signs, energy) in zip(lengths, shares, strict=True):
    print(f"{n:5}  {8 / n:11.3f}  {signs:16.1%}  {energy:16.1%}")

assert shares[0][0] == 1.0
assert all(shorter[1] > longer[1] for shorter, longer in pairwise(shares))

# %% [markdown]
# At 20 signs a code word explains about a third of what float weights say. Taken for a trained layer, that ruins it.
# So the layer has to be trained *through* the code.
#
# ## 2. Training through the code
#
# LeNet-5's layer FC1, 800 x 500 weights, on 3,000 digits of MNIST: a small training, so that the notebook runs in
# seconds. First the dense network, then FC1 rounded to its nearest code words, without any training.

# %%
cut = {"n_train": 3000, "n_validation": 1000, "n_test": 2000}
task = ImagesTask()
data = task.load(DataConfig(dir=str(ROOT / "data"), cache_dir=str(ROOT / ".cache"), **cut))
network, dense, state = create_model("lenet5", seed=0)
NAME = "fc1/kernel"


def fit(params, masks, form, epochs):
    optim = OptimConfig(epochs=epochs, batch_size=100)
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(Forward(task, network, form), optim, seed=0)
        return train(recipe, params, state, masks, data.train, data.validation, Path(folder)).params


def test_accuracy(params):
    return score(task, predict(task, merge(network, params), data.test), data.test)


dense = fit(dense, dict.fromkeys(dense), plain, epochs=3)
masks = full_masks(dense, ["fc1"])  # nothing is pruned
code = TrainedCode(8, 40)  # .2 bits a weight
search = BinaryForm.of({NAME: Binarizer(scale="channel", code=code)})

accuracy = {"dense": test_accuracy(dense), "nearest, untrained": test_accuracy(search(dense, masks))}
for name, value in accuracy.items():
    print(f"{name:22} {value:.1%} of 2,000 test digits")

# %% [markdown]
# **Search in the loop.** Float weights are kept and trained. In every forward pass each slice is replaced by its
# nearest vector times the output's scale; the gradient passes straight through to the floats. Where the code holds all
# signs (n_in = n_out) this is the usual straight-through training of binary weights.
#
# **Latent bits** (FleXOR, arXiv 2009.04126). The eight bits of each code word are signs of eight floats, which are
# trained; the gradient through an XOR is that of a product of steep tanh's.
#
# **Soft choices.** Each slice has 256 numbers, one for each vector, and is the mean of all vectors with their softmax
# as shares. The temperature falls, so that in the end each slice is one vector.
#
# More training alone makes a network better, so the dense one is trained as long again: that is what to compare with.

# %%
accuracy["dense, trained as long"] = test_accuracy(fit(dense, dict.fromkeys(dense), plain, epochs=4))

searched = fit(dense, masks, search, epochs=4)
accuracy["search in the loop"] = test_accuracy(search(searched, masks))

layers = {
    "latent bits": LatentLayer(dense[NAME].shape, 1, "channel", code),
    "soft choices": SoftLayer(dense[NAME].shape, 1, "channel", code),
}
for name, layer in layers.items():
    form = WordForm(((NAME, layer),), BinaryForm.of({}))
    start, no_masks = form.start(dense, masks, 0)
    accuracy[name] = test_accuracy(form(fit(start, no_masks, form, epochs=4), no_masks))

for name, value in accuracy.items():
    print(f"{name:22} {value:.1%}")

assert all(accuracy[name] > accuracy["nearest, untrained"] for name in ("search in the loop", *layers))

# %% [markdown]
# All recover most of what rounding lost, at a fifth of a bit a weight. Which is better at which rate, on which data,
# is measured by `+experiment=front` over several seeds; this small run is no evidence for any.
#
# ## 3. The file
#
# What was trained is already in code: encoding finds a code word for every slice, and what is decoded is equal.

# %%
trained = search(searched, masks)
spec = CompressSpec(layers=(NAME,), prune_rate=0, mask_codec=None, scale="channel", code=code)
model = compress({name: np.asarray(value) for name, value in trained.items()}, spec)

signs = np.asarray(trained[NAME]) > 0
assert np.array_equal(decode_weights(model.layers[NAME]) > 0, signs)
with tempfile.TemporaryDirectory() as folder:
    xorjax.save(path := Path(folder) / "fc1.safetensors", model)
    weight = xorjax.load(path).weights[NAME]
n_weights = signs.size
spent = {kind: n for kind, n in layer_bits(model.layers[NAME]).items() if n}
print({kind: round(n / n_weights, 4) for kind, n in spent.items()}, "bits a weight, from the bytes written")

# %% [markdown]
# ## 4. A product without weights
#
# For each group of 40 inputs there are only 256 partial sums, whatever the 500 outputs: one for each vector. They are
# computed once, and an output adds one of them for each group. So 40 weights cost one look-up and one addition.

# %%
x = rng.standard_normal((1, 800)).astype(np.float32)
t = (2.0 * code.vectors - 1).astype(np.float32)  # (256, n_out)
groups = x.reshape(20, 40)  # 800 inputs are 20 groups of 40
codes, _ = code.nearest(np.where(signs, np.float32(1), np.float32(-1)))
codes = codes.reshape(20, 500)

P = groups @ t.T  # (20 groups, 256 sums)
y = np.take_along_axis(P, codes.astype(int), axis=1).sum(axis=0) * np.abs(
    decode_weights(model.layers[NAME])[0]
)

assert np.allclose(y, x @ decode_weights(model.layers[NAME]), atol=1e-4)
assert np.allclose(y, np.asarray(jnp.asarray(x) @ weight)[0], atol=1e-4)
print(f"{P.size:,} sums and {codes.size:,} look-ups in place of {n_weights:,} multiplications; equal")

# %% [markdown]
# `x @ weight` of a loaded file does this by itself where it is faster. For layers as large as AlexNet's, beside a dense
# float32 matrix on the same machine: each is timed once in every round, and the ratio is that of a round.


# %%
def seconds(f, *arguments):
    begin = time.perf_counter()
    f(*arguments).block_until_ready()
    return time.perf_counter() - begin


multiply = jax.jit(lambda x, w: x @ w)
size, batches, ratios = 2048, (1, 8, 32), {}
floats = jnp.asarray(rng.standard_normal((size, size)), jnp.float32)
for n_out in (16, 32, 64):
    spec = CompressSpec(
        layers=("w",), prune_rate=0, mask_codec=None, scale="channel", code=TrainedCode(8, n_out)
    )
    coded = compress({"w": np.asarray(floats)}, spec).weights["w"]
    for batch in batches:
        x = jnp.asarray(rng.standard_normal((batch, size)), jnp.float32)
        seconds(multiply, x, coded), seconds(multiply, x, floats)
        rounds = [seconds(multiply, x, coded) / seconds(multiply, x, floats) for _ in range(15)]
        ratios[n_out, batch] = float(np.median(rounds))

print("time / dense float32    " + "  ".join(f"batch {b:3}" for b in batches))
for n_out in (16, 32, 64):
    print(f"{8 / n_out:6.3f} bits a weight     " + "  ".join(f"{ratios[n_out, b]:9.2f}" for b in batches))

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].plot([8 / n for n in lengths], [energy for _, energy in shares], "o-", color="tab:blue")
axes[0].axhline(2 / np.pi, color="tab:gray", linestyle=":", label="signs alone, 1 bit")
axes[0].set(xscale="log", xlabel="bits per weight", ylabel="energy explained", ylim=(0, 0.7))
axes[0].legend(frameon=False)
for n_out, colour in zip((16, 32, 64), ("tab:blue", "tab:orange", "tab:green"), strict=True):
    axes[1].plot(batches, [ratios[n_out, b] for b in batches], "o-", color=colour, label=f"n_out {n_out}")
axes[1].axhline(1, color="tab:gray", linestyle=":", label="dense float32")
axes[1].set(
    xscale="log", xlabel="batch", ylabel="time / dense", ylim=(0, None), xticks=batches, xticklabels=batches
)
axes[1].minorticks_off()
axes[1].legend(frameon=False, fontsize=8)
for axis in axes:
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Times are of one machine and differ on another; `benchmarks/product.py` measures them with more care, also on a GPU.
#
# Next: `docs/method.md` (trained codes), `python scripts/train.py +experiment=lenet_trained` for the whole experiment,
# and `xorjax compress --code trained` for a checkpoint of your own.
