"""What an installed wheel must do outside the repository: encode a plane, compress a weight in every code, use it."""

import tempfile
from pathlib import Path

import jax
import numpy as np

from xorjax import CompressSpec, XorNetwork, compress, decode, encode, load, save
from xorjax.codec import CODES

rng = np.random.default_rng(0)
bits, care = rng.random((2, 100, 60)) < np.array([0.5, 0.1])[:, None, None]
encoded = encode(bits, care, XorNetwork.random(n_in=20, n_out=160, seed=0))
if not np.array_equal(np.asarray(decode(encoded))[care], bits[care]):
    raise SystemExit("the wheel does not decode what it encoded")
weights, x = rng.standard_normal((100, 60), np.float32), rng.standard_normal((3, 100), np.float32)
products = []
for code in CODES.values():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.xorjax"
        save(path, compress({"w": weights}, CompressSpec(layers=("w",), prune_rate=0.9, code=code())))
        products.append(jax.jit(lambda x, w: x @ w)(x, load(path).weights["w"]))
if not all(np.array_equal(product, products[0]) for product in products):
    raise SystemExit("the wheel's codes differ")
print(
    f"the wheel encodes and decodes: {encoded.bits_per_weight:.3f} value bits/weight; {', '.join(CODES)} agree"
)
