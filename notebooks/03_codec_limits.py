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
# # The limits of the code
#
# Of the weights of a pruned layer a share 1 - S is kept. Let each kept sign be a fair coin, as on the random planes
# here (trained signs are not: docs/method.md). Then no code takes fewer than 1 - S bits a weight on average: that is
# the *bound* of the value bits. The XOR code stands above it, since it stores `n_in` bits for every slice, whether the
# slice has few care bits or many, and *patches* where it has too many.
#
# How near can it come? Here we find the fewest patches that a slice can have, write them in fewer bits, and let a
# formula choose the shape of the network. Everything is on random planes; `01_encoding_by_hand` has a real layer.

# %%
import itertools

import galois
import matplotlib.pyplot as plt
import numpy as np

from xorjax import XorNetwork, encode
from xorjax.codec.predict import choose_n_out, predict_bits
from xorjax.codec.slicing import to_slices
from xorjax.studies.limits import CARE, FLOOR, PAPER, PATCH_FORMATS, best, value_bits
from xorjax.studies.synthetic import random_plane, sweep

GF2 = galois.GF2

# %% [markdown]
# ## 1. One slice: the paper's patches and the fewest
#
# A network with 6 inputs and 40 outputs, and one slice of which 14 bits matter: 14 equations in 6 unknowns. At
# least 8 of them are redundant, and each of those is met by luck alone.
#
# Greedy search, the paper's, goes through the care bits in order. It keeps an equation if it agrees with those kept
# before, and otherwise makes the bit a patch. It never gives up an equation to save two others.

# %% tags=["exact"]
net = XorNetwork.random(n_in=6, n_out=40, seed=4)
rng = np.random.PCG64(35).random_raw(80)
bits = (rng[:40] >> np.uint64(63)).astype(bool)
care = np.zeros(40, bool)
care[np.argsort(rng[40:])[:14]] = True

greedy = encode(bits, care, net, method="greedy")
fewest = encode(bits, care, net, method="minimum")
rows, wanted = net.matrix[care], bits[care]
print("slice  ", "".join(str(int(b)) if c else "." for b, c in zip(bits, care, strict=True)))
for name, encoded in (("greedy", greedy), ("minimum", fewest)):
    marks = np.full(40, " ")
    marks[encoded.patch_positions] = "^"
    print(f"{name:7}", "".join(marks).rstrip(), f" {encoded.n_patches[0]} patches")
assert fewest.n_patches[0] < greedy.n_patches[0]

# %% [markdown]
# There are 64 code words, so we can try them all. None misses fewer care bits than `minimum` says.

# %% tags=["exact"]
code_words = np.array(list(itertools.product([0, 1], repeat=6)), dtype=np.uint8)
missed = ((code_words @ rows.T % 2).astype(bool) != wanted).sum(axis=1)
print("missed care bits:", *(f"{count:3}" for count in range(15)))
print("code words:      ", *(f"{number:3}" for number in np.bincount(missed, minlength=15)))
assert missed.min() == fewest.n_patches[0]

# %% [markdown]
# ### How the search does without trying all
#
# For 64 inputs nobody tries 2^64 code words. Look at the errors instead. Let `A` be the care rows, 14 x 6, and `H` a
# matrix with `H A = 0`, of 8 rows: each says which care rows add up to zero. Whatever the code word `x` is,
#
#     H (wanted + A x) = H wanted = s,
#
# the *syndrome*. So the errors of all code words, `e = wanted + A x`, are the vectors with `H e = s`, and there are
# no others: a *coset* of a linear code. The fewest patches are its lightest vector. Errors in one place have a
# column of `H` as their syndrome, errors in two places the sum of two. So: is the syndrome zero? A column? A sum of
# two columns? Of three? The first yes is the answer, and it is exact. With r redundant rows there are only 2^r
# syndromes, and r is small: this is why it is cheap.

# %% tags=["exact"]
A = GF2(rows)
H = A.left_null_space()
syndrome = H @ GF2(wanted.astype(np.uint8))
assert not (H @ A).any()
tried = 0
for weight in range(len(wanted) + 1):
    found = []
    for places in itertools.combinations(range(len(wanted)), weight):
        tried += 1
        errors = GF2.Zeros(len(wanted))
        errors[list(places)] = 1
        if np.array_equal(H @ errors, syndrome):
            found.append(places)
    print(f"{weight} errors: {len(found)} patterns have the syndrome, {tried} tried so far")
    if found:
        break

# %% [markdown]
# Where several patterns are equally light, xorjax takes the one whose errors come last: compared from their last
# positions down, the set with the later one. One answer on every machine, whatever the search.

# %% tags=["exact"]
positions = np.flatnonzero(care)
sets = [positions[list(places)].tolist() for places in found]
chosen = max(sets, key=lambda places: places[::-1])
print("patterns", sets)
print("chosen  ", chosen)
assert chosen == fewest.patch_positions.tolist()

# %% [markdown]
# ## 2. Many slices: value bits against n_out
#
# A small sweep: random planes of 150,000 weights at S = .9, for each `n_in` slices of growing length. On the left the
# paper's code: greedy patches, each count as wide as the largest and each position one of `n_out`. In the middle the
# fewest patches, numbered among the care bits, which the mask tells anyhow. On the right the fewest patches in the
# fewest bits: a slice's patches as one index among all sets of so many care bits.

# %%
fills = {n_in: [i / 20 for i in range(12, 26)] for n_in in (12, 20, 40, 60)}
measured = list(sweep(150_000, [0.9], fills, PATCH_FORMATS))
figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", sharey=True)
for axis, panel in zip(axes, value_bits(measured), strict=True):
    for line in panel.lines:
        if line.kind != "without patches":
            axis.plot(
                line.x, line.y, "k--" if line.group is None else "-", lw=1.4, label=line.group or line.kind
            )
    axis.set(title=panel.title, xlabel="n_out", ylim=(0.09, 0.23))
    axis.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("value bits per weight")
axes[1].legend(frameon=False, fontsize=8)
plt.show()

# %%
print("fewest value bits over the bound, S = .9 (n_out)")
for n_in in fills:
    own = [m for m in measured if m.n_in == n_in]
    cells = []
    for method, patch_format in (PAPER, CARE, FLOOR):
        same = best(own, method, patch_format)
        over = np.mean([m.value_bits(patch_format) for m in same]) / 0.1 - 1
        cells.append((over, f"{over:6.1%} ({same[0].n_out})"))
    print(
        f"n_in {n_in}: ",
        ", ".join(
            f"{name} {cell}" for name, (_, cell) in zip(("paper", "care", "enumerative"), cells, strict=True)
        ),
    )
    assert cells[0][0] > cells[1][0] > cells[2][0] > 0

# %% [markdown]
# The paper's curve has a sharp minimum: beyond it, patches cost more than the longer slice saves. With the
# fewest patches it is flat. With the enumerative format there is none in sight: the longer the slice, the fewer the
# bits, until the search for the patches takes too long.
#
# ## 3. What a format of patches costs
#
# One plane, one network, for each method the same code words and patches; only the bytes differ. In `paper` all counts
# have one width and in `blocked` those of 16 slices, so that a count is at a known or nearly known place. `care` needs
# the mask to say what a number means, and running sums to say where it is. `enumerative` is the floor, and gives
# up reading slices out of order: counts are entropy-coded, one after another.

# %%
weights, kept = random_plane(500_000, 0.9, seed=1)
print(
    f"{'S = .9, n_in = 20, n_out = 224':32} {'codes':>7} {'counts':>7} {'places':>7} {'all':>7} bits a weight"
)
for method in ("greedy", "minimum"):
    totals = {}
    for patch_format in ("paper", "blocked", "care", "enumerative"):
        encoded = encode(weights, kept, XorNetwork.random(20, 224), method, patch_format)
        sizes = {name: nbits / weights.size for name, nbits in encoded.nbits.items()}
        totals[patch_format] = encoded.bits_per_weight
        print(
            f"{method + ', ' + patch_format:32}",
            *(f"{bits:7.4f}" for bits in (*sizes.values(), totals[patch_format])),
        )
assert sorted(totals.values(), reverse=True) == list(totals.values())

# %% [markdown]
# These are bytes, not a formula: the streams alone, with the mask and the network, give all back.

# %%
(again,) = encoded.code.decode(encoded.planes, kept)
print({name: f"{len(stream)} bytes" for name, stream in encoded.streams.items()})
assert np.array_equal(again[kept], weights[kept])

# %% [markdown]
# ## 4. Known beforehand
#
# The rank of K random rows of `n_in` bits has a known distribution; so has, given the number r of redundant ones, the
# weight of the lightest vector with a given syndrome, to a good approximation: each of the V patterns of at most d
# errors has the right one of 2^r syndromes by chance, so more than d errors are needed with probability
# (1 - 2^-r)^V. With the number of care bits binomial, all sizes follow before a bit is encoded.

# %%
worst = 0.0
print("S    n_in n_out  method, format        predicted    real")
for rate, n_in, n_out in ((0.6, 20, 56), (0.9, 12, 128), (0.9, 64, 672), (0.95, 40, 800)):
    weights, kept = random_plane(500_000, rate, seed=2)
    for method, patch_format in (PAPER, CARE, FLOOR):
        predicted = sum(
            predict_bits(n_in, n_out, rate, method, patch_format, n_weights=weights.size).values()
        )
        real = encode(weights, kept, XorNetwork.random(n_in, n_out), method, patch_format).bits_per_weight
        worst = max(worst, abs(predicted / real - 1))
        print(
            f"{rate:<4} {n_in:4} {n_out:5}  {method + ', ' + patch_format:20} {predicted:10.4f} {real:7.4f}"
        )
print(f"at most {worst:.1%} apart")
assert worst < 0.02

# %% [markdown]
# So the best `n_out` needs no trials. (A multiple of 32 decodes in whole words.)

# %%
print("n_out chosen for S =       .60    .80    .90    .95")
for n_in in (20, 64):
    for method, patch_format in (PAPER, CARE):
        chosen_n_outs = [choose_n_out(n_in, rate, method, patch_format) for rate in (0.6, 0.8, 0.9, 0.95)]
        print(f"n_in {n_in:3} {method + ', ' + patch_format:15}", *(f"{n_out:6}" for n_out in chosen_n_outs))

# %% [markdown]
# Real masks are uneven, and the choice can be made for the mask itself and the way it is cut into slices. Here is one
# whose rows keep 2 to 30 % of their weights. Consecutive bits are one row's: too many care bits in one slice, hardly
# any in the next. Slices of bits far apart are all alike, and the code costs what it does on a random mask.

# %%
shape = (400, 1000)
rng = np.random.default_rng(3)
mask = rng.random(shape) < rng.uniform(0.02, 0.3, (shape[0], 1))
signs = rng.random(shape) < 0.5
costs = {}
print(f"bound {mask.mean():.4f}")
for slicing in ("row_major", "interleaved", "shuffled"):
    n_out = choose_n_out(20, mask, slicing=slicing)
    counts = np.count_nonzero(to_slices(mask, n_out, slicing), axis=1)
    predicted = sum(predict_bits(20, n_out, counts).values())
    costs[slicing] = encode(signs, mask, XorNetwork.random(20, n_out), slicing=slicing).bits_per_weight
    print(
        f"{slicing:12} n_out {n_out:4}, care bits of a slice {counts.mean():.1f} +- {counts.std():.1f}, "
        f"value bits predicted {predicted:.4f}, real {costs[slicing]:.4f}"
    )
assert costs["interleaved"] < 0.9 * costs["row_major"]
