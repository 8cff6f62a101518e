"""What to compress and how: one value, checked when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import signature

import numpy as np

from xorjax.codec.layout import LAYOUTS
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.xor import METHODS
from xorjax.compression.binarize import MAX_PLANES, SCALES
from xorjax.container.format import MAX_PATCH_BLOCK
from xorjax.gf2.network import MAX_N_IN
from xorjax.masks import MASK_CODECS, EncodedMask
from xorjax.masks.lowrank import fit_low_rank
from xorjax.masks.search import choose_code


@dataclass(frozen=True, eq=False)
class CompressSpec:
    """The layers, how they are pruned and binarized, and the codec's settings.

    Attributes:
        layers: fnmatch patterns over the tensors' names, such as "*.fc?.weight"; what no pattern matches is kept
            as it is.
        skip: patterns of tensors that are kept although one of `layers` matches them.
        prune_rate: the fraction of each layer's weights that is removed, smallest magnitudes first.
        masks: in place of `prune_rate`, the mask of each layer by its tensor's name; booleans, or bytes of
            0 and 1; 1 = kept. An `EncodedMask`, such as `.index` of a layer that a first compression gave, is
            stored in its own code: so is an approximate mask under which the network was trained.
        n_planes: bit planes, each with its own scales; 1 to 8.
        scale: what shares a scale: "tensor", "channel" (an index of the last axis: an output of a flax kernel) or
            "row" (an index of the first: an output of a torch weight).
        n_in: bits of a code word, 1 to 128.
        n_out: bits of a slice; None chooses for each layer the multiple of 32 with the fewest predicted bits.
        seed: what the XOR network is drawn from.
        method: "minimum" or "greedy" patches.
        patch_format, patch_block, layout, layout_seed: see `xorjax.encode`.
        mask_codec: an id of `xorjax.masks.MASK_CODECS`. An approximate one chooses the mask itself, at
            `prune_rate`, among those it can express, and takes its settings from `mask_options`, such as
            {"index_bits": 0.2}; see `fit_low_rank` in `masks/lowrank.py` and `choose_code` in `masks/search.py`.

    Raises:
        ValueError: a setting is out of range or unknown, or `prune_rate` and `masks` are not one of the two.
    """

    layers: tuple[str, ...]
    prune_rate: float | None = None
    masks: Mapping[str, np.ndarray | EncodedMask] | None = None
    skip: tuple[str, ...] = ()
    n_planes: int = 1
    scale: str = "channel"
    n_in: int = 20
    n_out: int | None = None
    seed: int = 0
    method: str = "minimum"
    patch_format: str = "care"
    patch_block: int = 16
    layout: str = "interleaved"
    layout_seed: int = 0
    mask_codec: str = "ans_rc"
    mask_options: Mapping[str, int | float] = field(default_factory=dict)

    def __post_init__(self):
        if not self.layers:
            raise ValueError("layers is empty, expected one pattern or more")
        if (self.prune_rate is None) == (self.masks is None):
            raise ValueError("one of prune_rate and masks is expected, and not both")
        if self.prune_rate is not None and not 0 <= self.prune_rate < 1:
            raise ValueError(f"prune_rate is {self.prune_rate}, expected 0 <= prune_rate < 1")
        _check_range("n_planes", self.n_planes, 1, MAX_PLANES)
        _check_range("n_in", self.n_in, 1, MAX_N_IN)
        if self.n_out is not None:
            _check_range("n_out", self.n_out, self.n_in + 1, 2**20)
        for name in ("seed", "layout_seed"):
            _check_range(name, getattr(self, name), 0, 2**63 - 1)
        _check_range("patch_block", self.patch_block, 1, MAX_PATCH_BLOCK)
        for name, value, known in (
            ("scale", self.scale, SCALES),
            ("method", self.method, METHODS),
            ("patch_format", self.patch_format, PATCH_FORMATS),
            ("layout", self.layout, LAYOUTS),
            ("mask_codec", self.mask_codec, MASK_CODECS),
        ):
            if value not in known:
                nearest = get_close_matches(value, known, n=1, cutoff=0)[0]
                raise ValueError(
                    f"{name} is {value!r}, expected one of {', '.join(known)}; nearest: {nearest!r}"
                )
        exact = MASK_CODECS[self.mask_codec].exact
        if self.masks is not None and not exact:
            raise ValueError(
                f"mask_codec {self.mask_codec!r} chooses the mask itself and cannot store given masks"
            )
        if self.mask_options and exact:
            raise ValueError(f"mask_codec {self.mask_codec!r} is exact and has no mask_options")
        known = [] if exact else mask_options(self.mask_codec)
        for name in self.mask_options:
            if name not in known:
                raise ValueError(
                    f"mask_codec {self.mask_codec!r} has no option {name!r}; it has {', '.join(known)}"
                )
            _check_option(name, self.mask_options[name])


def _check_option(name: str, value: float) -> None:
    """Options count something from 1 on, but for the seed and the index bits, which are in (0, 1]."""
    if name == "index_bits":
        if not 0 < value <= 1:
            raise ValueError(f"mask option index_bits is {value}, expected more than 0 and at most 1")
        return
    least = 0 if name in ("seed", "restarts", "redraws") else 1
    if type(value) is not int or value < least:
        raise ValueError(f"mask option {name} is {value}, expected an integer of {least} or more")


def mask_options(mask_codec: str) -> list[str]:
    """The names of an approximate mask codec's settings."""
    names = list(signature(fit_low_rank if mask_codec == "lowrank" else choose_code).parameters)[2:]
    return [*names, "beam"] if mask_codec == "xor" else names


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, expected {low} to {high}")
