"""Baselines: the mask in an exact codec, the kept weights' signs packed; the values cost exactly 1 - S bits."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from xorjax.codec.base import kept_to_planes
from xorjax.masks.base import ExactCodec, Streams, bits_to_bytes, read_bits, read_stream


@dataclass(frozen=True)
class MaskSigns:
    """Streams `index/...`, those of the mask codec, and `code/0`, `code/1`, ...: one bit a kept weight."""

    id: str
    mask_codec: ExactCodec

    def encode(self, planes: Bool[np.ndarray, "planes *shape"], mask: Bool[np.ndarray, "*shape"]) -> Streams:
        index = {f"index/{name}": stream for name, stream in self.mask_codec.encode(mask).items()}
        return index | {f"code/{p}": bits_to_bytes(plane[mask]) for p, plane in enumerate(planes)}

    def decode(
        self, streams: Streams, n_planes: int, shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "planes ..."], Bool[np.ndarray, "..."]]:
        index = {name: read_stream(streams, f"index/{name}") for name in self.mask_codec.stream_names}
        try:
            mask = self.mask_codec.decode(index, shape)
        except ValueError as error:
            raise ValueError(f"index/: {error}") from error
        kept = [read_bits(streams, f"code/{p}", int(mask.sum())) for p in range(n_planes)]
        return kept_to_planes(np.stack(kept), mask), mask
