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
# # Encoding by hand
#
# A pruned and binarized layer keeps few of its weights, and of each only its sign. The signs of the pruned weights
# are free: nobody will ever look at them. The XOR code of "Structured Compression by Weight Encryption for
# Unstructured Pruning and Quantization" (CVPR 2020) turns that freedom into bits saved. It stores a short *code word*
# in place of every `n_out` signs, and a fixed network of XOR gates turns the code word back into `n_out` signs that
# are right wherever it matters.
#
# Here we do it by hand: first for four signs and three bits, then for a layer of a real network. Each answer is
# compared with that of `xorjax.encode`.

# %%
import tempfile
from functools import partial
from pathlib import Path

import galois
import matplotlib.pyplot as plt
import numpy as np

import xorjax
from xorjax import XorNetwork
from xorjax.codec.slicing import to_slices
from xorjax.config.schema import DataConfig, OptimConfig
from xorjax.masks import encode_mask
from xorjax.models import create_model, merge
from xorjax.prune.masks import full_masks, prune_by_magnitude
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.tasks.images import ImagesTask
from xorjax.train import Forward, Recipe, plain, predict, score, train

here = Path.cwd()
ROOT = next(folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file())
GF2 = galois.GF2
# The paper's code, which we follow by hand; xorjax itself finds fewer patches and writes them shorter.
encode = partial(xorjax.encode, method="greedy", patch_format="paper")

# %% [markdown]
# ## 1. Four signs from three bits
#
# GF(2) is arithmetic with 0 and 1 where addition is XOR: 1 + 1 = 0. A matrix over GF(2) is a network of XOR gates:
# output bit i is the XOR of the input bits j with `M[i, j] = 1`. Ours has `n_in = 3` inputs and `n_out = 4` outputs.
#
# The network is fixed, so everything it can do fits in a look-up table of 8 rows. Of the 16 possible slices of four
# bits it makes 8.

# %% tags=["exact"]
M = GF2([[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]])
n_out, n_in = M.shape

code_words = GF2([[(number >> j) & 1 for j in range(n_in)] for number in range(2**n_in)])
outputs = code_words @ M.T

print("x0 x1 x2 | y0 y1 y2 y3")
for x, y in zip(code_words, outputs, strict=True):
    print("", "  ".join(map(str, x)), "|", "  ".join(map(str, y)))

# %% [markdown]
# ### A slice that can be met
#
# Say two of four weights are kept: the first has sign +1 (bit 1), the last -1 (bit 0). They are the *care* bits; the
# two between are *don't-cares*, written `?`. The slice is `1 ? ? 0`.
#
# Every care bit is one linear equation in the three bits of the code word: its row of `M`, and what the row has to
# give. Don't-cares are no equations at all. We write the system as rows `M[i] | y[i]` and row-reduce it.

# %% tags=["exact"]
bits = np.array([1, 0, 0, 0], bool)  # the middle two do not matter
care = np.array([1, 0, 0, 1], bool)

system = GF2(np.column_stack([M, bits.astype(np.uint8)])[care])
reduced = system.row_reduce()
print("care rows   M[i] | y[i]", system, "row-reduced", reduced, sep="\n")

# %% [markdown]
# Read the reduced rows: x0 + x2 = 1 and x1 = 1. Two equations leave one of three bits free, x2. A free bit is set to 0
# (any choice is right; xorjax always takes this one, so that a slice has one code word), which gives x0 = 1.
#
# The two rows of the look-up table that agree with `1 ? ? 0` say the same.

# %% tags=["exact"]
x = GF2([1, 1, 0])
y = M @ x
fitting = code_words[(np.asarray(outputs) == bits)[:, care].all(axis=1)]
print("code words that fit:", *fitting, "\ndecoded:", y)

assert (np.asarray(y)[care] == bits[care]).all()
assert x.tolist() in fitting.tolist()

# %% [markdown]
# The kept signs are right, and the don't-cares came out as 1 and 0, by chance. Four signs cost three bits.
#
# ### A slice that cannot be met
#
# Now all four signs matter: `1 1 1 0`. The rows of `M` are not independent: row 0 + row 1 = row 2. So whatever the code
# word, y0 + y1 = y2, and 1 + 1 is not 1. The paper's way out is greedy: take the care bits in order, keep an equation
# if the system stays solvable, drop it if not. The dropped bit is a *patch*: its position is stored, and it is flipped
# after decoding. (It must be flipped: its row is a sum of kept rows, so the output bit is settled, to the wrong value.)
#
# A system is solvable when appending the right-hand side does not raise the rank.


# %% tags=["exact"]
def encode_by_hand(bits, care, M, show=False):
    """The code word and the patches of one slice."""
    n_in = M.shape[1]
    kept = GF2.Zeros((0, n_in + 1))
    patches = []
    for i in np.flatnonzero(care):
        system = GF2(np.vstack([kept, np.append(M[i], bits[i])]).astype(np.uint8))
        solvable = np.linalg.matrix_rank(system[:, :n_in]) == np.linalg.matrix_rank(system)
        if solvable:
            kept = system
        else:
            patches.append(int(i))
        if show:
            print(f"bit {i}: row {M[i]} | {int(bits[i])}  {'kept' if solvable else 'dropped, a patch'}")

    x = GF2.Zeros(n_in)  # free bits stay 0
    for row in kept.row_reduce() if len(kept) else kept:
        ones = np.flatnonzero(row)
        if len(ones):  # a row that repeats kept rows reduces to zeros
            x[ones[0]] = row[n_in]
    return x, patches


def decode_by_hand(x, patches, M):
    y = M @ x
    y[patches] += GF2(1)
    return np.asarray(y) == 1


bits, care = np.array([1, 1, 1, 0], bool), np.ones(4, bool)
x, patches = encode_by_hand(bits, care, M, show=True)
decoded = decode_by_hand(x, patches, M)
print("code word", x, "gives", M @ x, "; bit", *patches, "flipped:", decoded.astype(int))

assert patches == [2]
assert (decoded == bits).all()

# %% [markdown]
# ### The same from xorjax
#
# `XorNetwork.from_matrix` takes our matrix. Bit j of a code word belongs to column j, so the code word `[1 1 0]` is the
# number 3. One slice proves little, so we give both encoders all there are: 16 patterns of bits under 16 masks.

# %% tags=["exact"]
net = XorNetwork.from_matrix(np.asarray(M))


def as_number(x):
    return sum(int(bit) << j for j, bit in enumerate(x))


encoded = encode(bits, care, net)
assert encoded.codes[0, 0] == as_number(x)
assert encoded.patch_positions.tolist() == patches

patterns = (np.arange(16)[:, None] >> np.arange(4) & 1).astype(bool)
all_bits, all_care = np.repeat(patterns, 16, axis=0), np.tile(patterns, (16, 1))
encoded = encode(all_bits, all_care, net)
by_hand = [encode_by_hand(b, c, M) for b, c in zip(all_bits, all_care, strict=True)]

assert encoded.codes[:, 0].tolist() == [as_number(x) for x, _ in by_hand]
assert encoded.patch_positions.tolist() == [i for _, patches in by_hand for i in patches]
assert (np.asarray(xorjax.decode(encoded)) == all_bits)[all_care].all()
print(f"{len(by_hand)} slices: by hand and by xorjax equal, {encoded.n_patches.sum()} of them with a patch")

# %% [markdown]
# ## 2. A slice of a real layer
#
# Now LeNet-5's layer FC1, 800 x 500 weights. The training is small, so that the notebook runs in seconds: 3,000 digits
# of MNIST, two epochs dense, then 95 % of FC1's weights pruned in one step, then two epochs with FC1 binarized. The
# sweeps of this project train on all digits for longer, prune in several levels, and reach a better accuracy. For the
# codec it makes no difference: what it sees is a mask and signs.

# %%
S = 0.95  # the prune rate

cut = {"n_train": 3000, "n_validation": 1000, "n_test": 2000}
task = ImagesTask()
data = task.load(DataConfig(dir=str(ROOT / "data"), cache_dir=str(ROOT / ".cache"), **cut))
network, params, state = create_model("lenet5", seed=0)
optim = OptimConfig(epochs=2, batch_size=100)


def fit(params, masks, form):
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(Forward(task, network, form), optim, seed=0)
        return train(recipe, params, state, masks, data.train, data.validation, Path(folder)).params


def test_accuracy(params):
    return score(task, predict(task, merge(network, params), data.test), data.test)


params = fit(params, dict.fromkeys(params), plain)
print(f"dense                 {test_accuracy(params):.1%} of 2,000 test digits")

masks = prune_by_magnitude(params, full_masks(params, ["fc1"]), S, "layer")
binarizer = Binarizer()
binary = BinaryForm.of({"fc1/kernel": binarizer})
params = fit(params, masks, binary)
quantized = binary(params, masks)
print(f"FC1 pruned, binarized {test_accuracy(quantized):.1%}")

# %% [markdown]
# FC1 is now a scale times a *bit plane* of signs (1 is +1), under a mask. One scale and one plane, since we quantize to
# one bit.

# %%
planes, scales = binarizer.encode(params["fc1/kernel"], masks["fc1/kernel"])
plane, mask, scale = np.asarray(planes[0]), np.asarray(masks["fc1/kernel"]), float(scales.item())
print(f"{plane.size:,} weights, {mask.sum():,} kept; {plane[mask].mean():.0%} of the kept signs are +1")

# %% [markdown]
# `n_in = 20` bits can meet about 20 random equations. With 5 % of the signs kept, a slice of `n_out = 300` has 15 care
# bits on average. So one random matrix of 300 x 20 for the whole plane, row-major slices as in the paper, and the
# first slice that needs a patch, by hand.

# %%
net = XorNetwork.random(n_in=20, n_out=300, seed=0)
encoded = encode(plane, mask, net)

slices, cares = (to_slices(array, net.n_out, "row_major") for array in (plane, mask))
s = int(np.flatnonzero(encoded.n_patches)[0])
picture = np.where(cares[s], np.where(slices[s], "+", "-"), ".")
print(f"slice {s}: {cares[s].sum()} care bits of {net.n_out}")
print(*("".join(line) for line in picture.reshape(3, 100)), sep="\n")

x, patches = encode_by_hand(slices[s], cares[s], net.as_galois())
first = encoded.n_patches[:s].sum()
assert as_number(x) == encoded.codes[s, 0]
assert patches == encoded.patch_positions[first : first + encoded.n_patches[s]].tolist()
assert (decode_by_hand(x, patches, net.as_galois()) == slices[s])[cares[s]].all()
print("code word", "".join(map(str, x)), "patches at", patches, "- by hand and by xorjax equal")

# %% [markdown]
# Elimination in galois is slow for a whole plane. xorjax does the same with machine words, and keeps the encoder
# `"galois"` as its reference: we compare the two on the first rows. Then the whole plane is decoded, the layer rebuilt
# from it, and the network run. It must be the quantized network exactly, logit for logit.

# %%
top = slice(0, 10)
fast, slow = (encode(plane[top], mask[top], net, encoder=name) for name in ("numba", "galois"))
assert all(np.array_equal(fast.streams[name], slow.streams[name]) for name in fast.streams)

decoded = np.asarray(xorjax.decode(encoded))
assert (decoded == plane)[mask].all()

kernel = np.where(mask, np.where(decoded, np.float32(scale), -np.float32(scale)), np.float32(0))
rebuilt = {**quantized, "fc1/kernel": kernel}
logits, expected = (predict(task, merge(network, p), data.test) for p in (rebuilt, quantized))
assert np.array_equal(logits, expected)

print(f"{len(encoded.codes):,} slices, {encoded.n_patches.sum():,} patches; logits equal on all test digits")
print(f"of the pruned signs {(decoded == plane)[~mask].mean():.1%} came out as before: chance")

# %% [markdown]
# ## 3. How long should a slice be?
#
# A slice costs `n_in` bits for its code word, a few bits for its number of patches, and `ceil(lg n_out)` bits for each
# patch. Divided by `n_out`, these are bits per weight of the layer, pruned weights included. Everything below is
# counted from the bytes that would be written.
#
# The floor is `1 - S`: one bit for each kept sign, if signs are fair coins.

# %%
FILLS = np.arange(0.3, 1.35, 0.1)  # expected care bits of a slice, over n_in


def value_bits(n_in, n_out):
    """Bits per weight: those of the code words, and those of the patches."""
    nbits = encode(plane, mask, XorNetwork.random(n_in, int(n_out))).nbits
    return np.array([nbits["codes"], nbits["patch_counts"] + nbits["patch_positions"]]) / plane.size


curves, best = {}, {}
for n_in in (12, 20, 32):
    n_outs = np.round(FILLS * n_in / (1 - S)).astype(int)
    bits = np.array([value_bits(n_in, n_out) for n_out in n_outs])
    total = bits.sum(axis=1)
    i = total.argmin()
    curves[n_in], best[n_in] = (n_outs, bits), (n_outs[i], total[i])
    print(
        f"n_in {n_in}: best n_out {n_outs[i]}, about {n_outs[i] * (1 - S):.0f} care bits a slice; "
        f"code {bits[i, 0]:.3f} + patch {bits[i, 1]:.3f} = {total[i]:.3f} bits/weight"
    )

assert all(bits.sum(axis=1).min() > 1 - S for _, bits in curves.values())
assert best[12][1] > best[20][1] > best[32][1]

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for axis, (n_in, (n_outs, bits)) in zip(axes, curves.items(), strict=True):
    axis.plot(n_outs, bits[:, 0], color="tab:blue", label="code bits")
    axis.plot(n_outs, bits[:, 1], color="tab:orange", label="patch bits")
    axis.plot(n_outs, bits.sum(axis=1), color="black", label="sum")
    axis.plot(*best[n_in], "o", color="black", label=f"best: {best[n_in][1]:.3f} at {best[n_in][0]}")
    axis.axhline(1 - S, color="tab:green", linestyle=":", label="floor 1 - S")
    axis.set(title=f"n_in = {n_in}", xlabel="n_out, signs in a slice", ylim=(0, 0.23))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper right")
axes[0].set_ylabel("bits per weight")
plt.show()

# %% [markdown]
# Code bits are `n_in / n_out`: the longer the slice, the fewer. Patch bits are few while a slice holds fewer care bits
# than a code word can meet, and turn upward near `n_out = n_in / (1 - S)`. From there on each further care bit fails
# with probability one half, and a patch (8 to 10 bits here) costs far more than the bit it mends. The best `n_out` lies
# a little before that point, where the two slopes cancel.
#
# A larger `n_in` does better, because the number of care bits varies from slice to slice, by about the square root of
# its mean: near the best `n_out` it is 11 +- 3 for `n_in = 12`, and 29 +- 5 for `n_in = 32`, which is 30 % and 18 % of
# the mean. The code word is paid for the mean, the patches for the excess, and relative to the mean the excess shrinks.
#
# The slices here are the paper's: consecutive weights. Where a mask is uneven, so that whole rows keep many weights and
# others few, slices that cross all rows (`slicing="interleaved"`, the default of the sweeps) need fewer patches.
#
# ## 4. What the patches buy
#
# Without patches every slice must be met exactly, so the worst slice decides. How long may a slice then be?

# %%
n_in = 20


def needs_patches(n_out):
    return encode(plane, mask, XorNetwork.random(n_in, n_out)).n_patches.any()


unpatched = next(n_out for n_out in range(300, n_in, -4) if not needs_patches(n_out))
print(f"without patches: n_out {unpatched}, {n_in / unpatched:.3f} bits/weight")
print(f"with patches:    n_out {best[n_in][0]}, {best[n_in][1]:.3f} bits/weight")

assert n_in / unpatched > best[n_in][1]

# %% [markdown]
# A few patches let all slices be much longer, and the code stays lossless.
#
# ## 5. What the mask costs
#
# The code words say nothing about *which* weights are kept, and a decoder needs to know. A bitmap spends one bit a
# weight. An entropy coder (`ans`) comes down to the entropy of a mask of rate S, `H(S) = -S lg S - (1 - S) lg(1 - S)`;
# no code can do better for a mask that has no structure.

# %%
index_bits = {id: encode_mask(mask, id).bits_per_weight for id in ("bitmap", "ans")}
entropy = -S * np.log2(S) - (1 - S) * np.log2(1 - S)
value = best[20][1]
for id, bits in index_bits.items():
    print(f"{id:7s} {bits:.3f} index bits + {value:.3f} value bits = {bits + value:.3f} bits/weight")
print(f"entropy {entropy:.3f}")

assert entropy <= index_bits["ans"] < 1.01 * entropy
assert index_bits["ans"] > value

# %% [markdown]
# So the mask is the larger part of the layer, even at its entropy, and every total in this project includes it. (The
# scale adds 32 bits to 400,000 weights.)
#
# It also puts the XOR code in its place. Packed signs of the kept weights, with no don't-cares at all, attain the floor
# `1 - S` exactly; the XOR code pays more. Its code words have a fixed rate: each slice is `n_in` bits at a known place.
# On a CPU that buys no speed, since packed signs decode faster still. `docs/method.md` has the arithmetic,
# `docs/results.md` what was measured on networks trained in full.
