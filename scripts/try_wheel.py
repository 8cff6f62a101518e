"""What an installed wheel must do outside the repository: encode a random plane and decode it again."""

import numpy as np

from xorjax import XorNetwork, decode, encode

rng = np.random.default_rng(0)
bits, care = rng.random((2, 100, 60)) < np.array([0.5, 0.1])[:, None, None]
encoded = encode(bits, care, XorNetwork.random(n_in=20, n_out=160, seed=0))
if not np.array_equal(np.asarray(decode(encoded))[care], bits[care]):
    raise SystemExit("the wheel does not decode what it encoded")
print(f"the wheel encodes and decodes: {encoded.bits_per_weight:.3f} value bits/weight")
