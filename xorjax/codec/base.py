"""What a layer codec is: bit planes and their mask to named streams of bytes, and back.

The baselines follow this protocol so that they stand in one table with the XOR code. A stream's name says
what its bits are: `index/...` for the mask, `code/...` for the values. Planes are right wherever the mask is
True; the sign of a pruned weight is a don't care and is not restored.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from xorjax.masks.base import Streams


@runtime_checkable
class LayerCodec(Protocol):
    """One way of storing a pruned layer of signs. `id` is its name in the result rows."""

    @property
    def id(self) -> str: ...

    def encode(self, planes: Bool[np.ndarray, "planes *shape"], mask: Bool[np.ndarray, "*shape"]) -> Streams:
        """The streams of the layer; True in a plane is the sign +1, True in the mask a kept weight."""
        ...

    def decode(
        self, streams: Streams, n_planes: int, shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "planes ..."], Bool[np.ndarray, "..."]]:
        """The planes, right wherever the mask is True, and the mask.

        Raises:
            ValueError: a stream is missing, has the wrong length or contradicts another; it is named.
        """
        ...


def stream_bits(streams: Streams) -> dict[str, int]:
    """Bits of the streams by what they hold: `code_bits` and `index_bits`."""
    return {
        "code_bits": sum(8 * len(stream) for name, stream in streams.items() if name.startswith("code/")),
        "index_bits": sum(8 * len(stream) for name, stream in streams.items() if name.startswith("index/")),
    }


def kept_to_planes(
    kept: Bool[np.ndarray, "planes kept"], mask: Bool[np.ndarray, "*shape"]
) -> Bool[np.ndarray, "planes *shape"]:
    """The kept weights' signs, in row-major order, put back in place; False wherever the mask is."""
    planes = np.zeros((len(kept), *mask.shape), dtype=np.bool_)
    planes[:, mask] = kept
    return planes
