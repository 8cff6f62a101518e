"""Baseline: the symbols {0, +, -} entropy-coded by asymmetric numeral systems.

In one ternary symbol index and value cannot be told apart. The chain rule separates them without cost:
H(0, +, -) = H(kept) + P(kept) H(sign), so the mask is one Bernoulli stream (index bits) and the kept weights'
signs another (value bits), with the same total up to a word or two; a test compares it with a coder of
ternary symbols. With several planes each plane's signs have a density of their own, and what the planes would
tell about one another is not used.
"""

from math import prod

import numpy as np
from jaxtyping import Bool

from xorjax.codec.base import kept_to_planes
from xorjax.masks.ans import decode_bernoulli, encode_bernoulli
from xorjax.masks.base import Streams


class TernaryAns:
    """Streams `index/n_ones`, `index/words` (the `ans` mask codec's), `code/0/n_ones`, `code/0/words`, ..."""

    id = "ternary_ans"

    def encode(self, planes: Bool[np.ndarray, "planes *shape"], mask: Bool[np.ndarray, "*shape"]) -> Streams:
        parts = {"index": encode_bernoulli(mask.ravel())}
        parts |= {f"code/{p}": encode_bernoulli(plane[mask]) for p, plane in enumerate(planes)}
        return {
            f"{part}/{name}": stream for part, streams in parts.items() for name, stream in streams.items()
        }

    def decode(
        self, streams: Streams, n_planes: int, shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "planes ..."], Bool[np.ndarray, "..."]]:
        mask = decode_bernoulli(streams, prod(shape), "index/").reshape(shape)
        kept = [decode_bernoulli(streams, int(mask.sum()), f"code/{p}/") for p in range(n_planes)]
        return kept_to_planes(np.stack(kept), mask), mask
