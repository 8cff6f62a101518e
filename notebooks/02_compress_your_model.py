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
# # Compress your own model
#
# `xorjax.compress` takes any arrays by name. Here they are those of a small network that we write and train in plain
# JAX, so that nothing below knows the models of this project. The same is then done with the command `xorjax`, for
# those who have a checkpoint and no wish to write Python. `docs/compress.md` has all the options.

# %%
import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import load_file, save_file

import xorjax
from xorjax import CompressSpec, SignsCode, XorCode, compress
from xorjax.config.schema import DataConfig
from xorjax.container import decode_weights, layer_bits, verify
from xorjax.data import load_data

here = Path.cwd()
ROOT = next(folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file())

# %% [markdown]
# ## A model
#
# Two hidden layers on 8,000 handwritten digits. The parameters are nested dictionaries, as flax and many others keep
# them; `compress` joins their names: "fc1/kernel".

# %%
cut = {"n_train": 8000, "n_test": 2000}
data = load_data(DataConfig(dir=str(ROOT / "data"), cache_dir=str(ROOT / ".cache"), **cut))
(x, y), (x_test, y_test) = (
    (jnp.asarray(split.inputs.reshape(-1, 784) / np.float32(255)), jnp.asarray(split.targets))
    for split in (data.train, data.test)
)
SIZES = {"fc1": (784, 300), "fc2": (300, 100), "fc3": (100, 10)}


def forward(params, x):
    for name in ("fc1", "fc2"):
        x = jax.nn.relu(x @ params[name]["kernel"] + params[name]["bias"])
    return x @ params["fc3"]["kernel"] + params["fc3"]["bias"]


def train(params, masks=None, epochs=8):
    """Adam; with masks, the weights that are pruned stay zero."""
    tx = optax.adam(1e-3)

    def under_masks(params):
        return params if masks is None else jax.tree.map(jnp.multiply, params, masks)

    def loss(params, batch):
        logits = forward(under_masks(params), x[batch])
        return optax.softmax_cross_entropy_with_integer_labels(logits, y[batch]).mean()

    @jax.jit
    def step(params, opt_state, batch):
        updates, opt_state = tx.update(jax.grad(loss)(params, batch), opt_state)
        return optax.apply_updates(params, updates), opt_state

    opt_state, rng = tx.init(params), np.random.default_rng(0)
    for _ in range(epochs):
        for batch in rng.permutation(len(x)).reshape(-1, 100):
            params, opt_state = step(params, opt_state, batch)
    return under_masks(params)


def accuracy(params):
    return float((forward(params, x_test).argmax(axis=1) == y_test).mean())


he = jax.nn.initializers.he_normal()
keys = dict(zip(SIZES, jax.random.split(jax.random.key(0), 3), strict=True))
params = train({n: {"kernel": he(keys[n], s), "bias": jnp.zeros(s[1])} for n, s in SIZES.items()})
print(f"{accuracy(params):.1%} of {len(x_test):,} test digits")

# %% [markdown]
# ## Compress
#
# A `CompressSpec` says which tensors, how many of their weights to remove, how many bits to give the rest, and which
# code holds their signs. `layers` are patterns as in a shell. What none of them matches, here the biases and the small
# last layer, is kept as it is.
#
# `scale="channel"` gives each output its own scale: in a flax kernel (in, out) that is the last axis. For torch's
# (out, in) it is `scale="row"`. In the XOR code a longer code word (`n_in`) costs less than a shorter one, and `n_out`
# is chosen for each layer.

# %%
spec = CompressSpec(layers=("fc[12]/kernel",), prune_rate=0.8, code=XorCode(n_in=40))
model = compress(params, spec)


def print_table(model):
    print("layer       stored as       code   patch   index   scale  bits/weight  weight error")
    for name, layer in model.layers.items():
        bits = {kind: n / layer.n_weights for kind, n in layer_bits(layer).items()}
        streams = "  ".join(
            f"{bits[kind]:.4f}" for kind in ("code_bits", "patch_bits", "index_bits", "scale_bits")
        )
        weights = np.asarray(params[name.split("/")[0]]["kernel"])
        error = np.linalg.norm(weights - decode_weights(layer)) / np.linalg.norm(weights)
        described = layer.code.describe(layer.values)
        code = f"{layer.code.id} {described['n_in']}:{described['n_out']}" if described else layer.code.id
        print(f"{name}  {code:12}  {streams}  {sum(bits.values()):11.4f}  {error:12.3f}")


print_table(model)
assert set(model.layers) == {"fc1/kernel", "fc2/kernel"}
assert set(model.params) == {"fc1/bias", "fc2/bias", "fc3/bias", "fc3/kernel"}

# %% [markdown]
# The mask (index) costs more than the signs (code and patch) do. All bits are counted from the bytes that go to the
# file.
#
# Other codes hold the same signs. `SignsCode()` writes one bit a kept weight and nothing else; `per_layer` gives some
# layers settings of their own.

# %%
mixed = compress(params, replace(spec, per_layer={"fc2*": {"code": SignsCode(), "scale_dtype": "bfloat16"}}))
print_table(mixed)
assert np.array_equal(mixed.layers["fc2/kernel"].mask, model.layers["fc2/kernel"].mask)

# %% [markdown]
# ## What it does to the network
#
# Compressing loses weights, and nothing is fine-tuned here. A small error of weights would mean little loss; these are
# large, and only the task tells. The pruned weights with their float values stand beside, to tell what each half did.


# %%
def put(params, weights):
    """The parameters with some weights, by their joined names, replaced."""
    return {
        n: {"kernel": weights.get(f"{n}/kernel", p["kernel"]), "bias": p["bias"]} for n, p in params.items()
    }


def decoded(model):
    return {name: jnp.asarray(decode_weights(layer)) for name, layer in model.layers.items()}


print("S     pruned only   1 plane   2 planes")
for rate in (0.5, 0.8, 0.95):
    made = [compress(params, replace(spec, prune_rate=rate, n_planes=q)) for q in (1, 2)]
    pruned = {n: params[n.split("/")[0]]["kernel"] * layer.mask for n, layer in made[0].layers.items()}
    cells = [accuracy(put(params, weights)) for weights in (pruned, *map(decoded, made))]
    print(f"{rate:<5} {cells[0]:11.1%} {cells[1]:9.1%} {cells[2]:10.1%}")

assert accuracy(put(params, decoded(made[-1]))) < accuracy(params)
print("at S=.95 most of the loss is pruning's, and planes do not bring it back")

# %% [markdown]
# ## A mask of your own
#
# What pruning lost, training under the mask brings back. That is your training loop's work, not the library's: take the
# mask of a first compression (or any other), train with it, and give it to the second as `masks` in place of
# `prune_rate`. The mask is then stored exactly.

# %%
sparse = replace(spec, prune_rate=0.95, n_planes=2)
first = compress(params, sparse)
masks = {name: layer.mask for name, layer in first.layers.items()}
ones = jax.tree.map(jnp.ones_like, params)
tuned = train(
    params, put(ones, {name: jnp.asarray(mask, jnp.float32) for name, mask in masks.items()}), epochs=5
)
second = compress(tuned, replace(sparse, prune_rate=None, masks=masks))

before, after = (accuracy(put(p, decoded(m))) for p, m in ((params, first), (tuned, second)))
print(f"S=.95, 2 planes: {before:.1%} without training under the mask, {after:.1%} with")
assert after > before
assert all(np.array_equal(second.layers[name].mask, mask) for name, mask in masks.items())

# %% [markdown]
# ## Save, verify, load
#
# One file holds the compressed layers and the other tensors; it is an ordinary safetensors file. `verify` checks every
# checksum and decodes every plane.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
xorjax.save(folder / "digits.xorjax", second)
planes = verify(folder / "digits.xorjax")
loaded = xorjax.load(folder / "digits.xorjax")

size, before = ((folder / "digits.xorjax").stat().st_size, sum(a.nbytes for a in jax.tree.leaves(params)))
print(f"{size / 1000:.0f} kB in place of {before / 1000:.0f} kB; {len(planes)} planes verified")
assert all(np.array_equal(loaded.params[name], array) for name, array in second.params.items())

# %% [markdown]
# ## A loaded weight in your own jitted function
#
# `loaded.weights` has a `CodedWeight` for each layer, and no float weight. It goes where an array goes on the right of
# `@`; so the function above takes it as it is. It is a pytree, which `jax.jit` takes as an argument. So few weights are
# kept here that it holds them as lists, one word of 16 bits a kept weight, and the product goes through these. With
# more, or on a GPU, it holds code words, patches and the mask, and is decoded in the product.

# %%
kept = {n: {kind: loaded.params.get(f"{n}/{kind}") for kind in ("kernel", "bias")} for n in SIZES}
coded = put(kept, loaded.weights)
logits, expected = jax.jit(forward)(coded, x_test), forward(put(tuned, decoded(second)), x_test)

held = sum(leaf.nbytes for leaf in jax.tree.leaves(coded["fc1"]["kernel"]))
print(f"fc1 holds {held / 1000:.0f} kB; as float32 it has {4 * 784 * 300 / 1000:.0f} kB")
assert np.allclose(logits, expected, rtol=1e-4, atol=1e-4)

for name, weight in loaded.weights.items():
    assert np.array_equal(jax.jit(lambda w: w.to_array())(weight), decode_weights(loaded.layers[name]))
print("decoded inside jit: equal to the decoded weights, bit for bit")

# %% [markdown]
# `to_array` is for whatever else one does with a weight, such as the product with torch's (out, in); for whole trees,
# and modules that do more than multiply, `xorjax.form` decodes every coded weight inside jit.

# %%
torch_like = compress(
    {"fc1.weight": np.asarray(tuned["fc1"]["kernel"]).T}, replace(sparse, layers=("*",), scale="row")
)
weight = torch_like.weights["fc1.weight"]
product = jax.jit(lambda x, w: x @ w.to_array().T)(x_test, weight)

print(f"fc1.weight {weight.shape}: a product of shape {product.shape}")
assert np.allclose(product, x_test @ decode_weights(torch_like.layers["fc1.weight"]).T, rtol=1e-4, atol=1e-4)

# %% [markdown]
# ## The same with the command
#
# `xorjax` takes safetensors files, one or shards with an index. Here it is started with this notebook's Python; in a
# terminal one types what stands after the `$`.


# %%
def shell(line):
    print("$", line)
    words = shlex.split(line)[1:]
    run = subprocess.run(
        [sys.executable, "-m", "xorjax.cli", *words], cwd=folder, capture_output=True, text=True
    )
    print(run.stdout or run.stderr)
    return run.returncode, run.stdout


flat = {f"{n}/{kind}": np.asarray(array) for n, p in tuned.items() for kind, array in p.items()}
save_file(flat, folder / "digits.safetensors")
save_file(masks, folder / "masks.safetensors")

shell(
    "xorjax compress digits.safetensors again.xorjax --layers 'fc[12]/kernel' --mask masks.safetensors --planes 2 "
    "--n-in 40"
)
shell("xorjax verify again.xorjax")
code, _ = shell("xorjax decompress again.xorjax back.safetensors")

back = load_file(folder / "back.safetensors")
assert code == 0
assert (folder / "again.xorjax").read_bytes() == (folder / "digits.xorjax").read_bytes()
assert all(np.array_equal(back[name], weights) for name, weights in decoded(second).items())
print("the command writes the file that the library wrote, byte for byte")

# %% [markdown]
# An input that cannot be used is refused with one line that says why, exit code 1, and no file is left behind. With
# `--json`, standard output is one JSON object, then too.

# %%
flat["fc1/kernel"] = flat["fc1/kernel"].copy()
flat["fc1/kernel"][3, 7] = np.nan
save_file(flat, folder / "broken.safetensors")
code, out = shell(
    "xorjax compress broken.safetensors no.xorjax --layers 'fc1/*' --skip '*/bias' --prune-rate 0.9 --json"
)
assert code == 1
assert "[3, 7]" in json.loads(out)["error"]
assert not (folder / "no.xorjax").exists()

# %% [markdown]
# ## Bit planes of your own
#
# Whoever has quantized already needs the code alone: a mask and the bits, as `.npy` files. The scales are written as
# ones.

# %% tags=["exact"]
rng = np.random.default_rng(0)
care = rng.random((256, 512)) < 0.1
np.save(folder / "care.npy", care)
np.save(folder / "bits.npy", rng.random((256, 512)) < 0.5)

code, _ = shell("xorjax encode own.xorjax --care care.npy --bits bits.npy --n-in 20 --n-out 192")
layer = xorjax.load(folder / "own.xorjax").layers["layer"]
assert np.array_equal(decode_weights(layer) != 0, care)
print(f"{care.sum()} signs of {care.size} stored, no matter what the others are")

# %%
temporary.cleanup()
