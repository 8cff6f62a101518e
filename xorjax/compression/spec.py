"""What to compress and how: one value, checked when it is made, and what it is for each layer."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from xorjax.codec.code import CODES, Code
from xorjax.compression.checkpoint import Mapped
from xorjax.compression.errors import CompressError
from xorjax.compression.tree import arrays_of
from xorjax.masks import APPROXIMATE_CODECS, MASK_CODECS
from xorjax.merge import fitting, merge, nested, unknown_key
from xorjax.settings import (
    FRACTION,
    PLANES,
    SCALES,
    kind,
    leaves,
    nearest,
    problems,
    setting,
    stated,
    type_problems,
)

SCALE_DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, eq=False)
class CompressSpec:
    """The layers, how they are pruned and binarized, and how the result is stored.

    Attributes:
        layers: fnmatch patterns over the tensors' names, such as "*.fc?.weight"; what no pattern matches is kept
            as it is.
        prune_rate: the fraction of each layer's weights that is removed, smallest magnitudes first.
        masks: in place of `prune_rate`, the mask of each layer by its tensor's name, or nested as `compress` takes
            parameters; booleans, or bytes of 0 and 1; 1 = kept. None is no mask; one of a tensor that is not compressed
            is not looked at. An `EncodedMask`, such as `.index` of a layer that a first compression gave, is stored in
            its own code: so is an approximate mask under which the network was trained.
        skip: patterns of tensors that are kept although one of `layers` matches them.
        n_planes: bit planes, each with its own scales.
        scale: what shares a scale: "tensor", "channel" (an index of the last axis: an output of a flax kernel) or
            "row" (an index of the first: an output of a torch weight).
        scale_dtype: what scales are stored as. An error of weights is that of the stored ones.
        code: how the signs are stored, with its settings: `XorCode(n_in=20)`, `SignsCode()`. What it leaves open, such
            as n_out, it chooses for each layer.
        mask_codec: an id of `xorjax.masks.MASK_CODECS`. An approximate one chooses the mask itself, at
            `prune_rate`, among those it can express, and takes its settings from `mask_options`, such as
            {"index_bits": 0.2}: those of `APPROXIMATE_CODECS[mask_codec].settings`.
            None stores no mask, which keeps every weight: `prune_rate` must be 0.
        mask_options: the settings of an approximate mask codec.
        per_layer: other settings for some layers, by pattern; the first pattern that matches a layer counts:
            {"conv*": {"prune_rate": 0.8, "code.n_in": 12, "mask_options.rank": 4}}. "code" is a code or its id.

    Raises:
        CompressError: a setting is out of range or unknown, or does not go with another.
    """

    layers: tuple[str, ...]
    prune_rate: float | None = setting(None, FRACTION, "Fraction of weights removed.", per_layer=True)
    masks: Any = field(default=None, repr=False)
    skip: tuple[str, ...] = ()
    n_planes: int = setting(1, PLANES, "Bit planes a weight.", per_layer=True)
    scale: str = setting(
        "channel",
        SCALES,
        "What shares a scale: tensor, channel (an index of the last axis: an output of flax's (in, out)) or row (an "
        "index of the first axis: an output of torch's (out, in)).",
        per_layer=True,
    )
    scale_dtype: str = setting(
        "float32",
        SCALE_DTYPES,
        "What scales are stored as; float16 and bfloat16 halve their bits, and the error is told with them.",
        per_layer=True,
    )
    code: Code = kind(lambda: CODES, "xor", "How signs are stored.", per_layer=True)
    mask_codec: str | None = setting(
        "ans_rc",
        tuple(MASK_CODECS),
        "How masks are stored; lowrank, codebook and xor are approximate and choose the mask themselves; none stores "
        "no mask and keeps every weight.",
        per_layer=True,
    )
    mask_options: Mapping[str, int | float] = field(default_factory=dict)
    per_layer: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("layers", "skip"):
            if isinstance(patterns := getattr(self, name), str):
                raise CompressError(f"{name} is {patterns!r}; it must be a list of patterns: {[patterns]}")
        if not self.layers:
            raise CompressError("layers is empty, expected one pattern or more")
        if isinstance(self.code, type) or not is_dataclass(self.code):
            raise CompressError(_no_code(self.code))
        if (self.prune_rate is None) == (self.masks is None):
            raise CompressError("one of prune_rate and masks is expected, and not both")
        if self.masks is not None and not isinstance(self.masks, Mapped):
            object.__setattr__(self, "masks", arrays_of(self.masks, "mask", "masks"))
        for problem in list(type_problems(self)) or problems(self):
            raise CompressError(problem.removeprefix("code."))
        for clash in self.code.clashes(self.prune_rate or 0.0):
            raise CompressError(clash)
        self._check_mask_codec()
        for pattern, changes in self.per_layer.items():
            self._changed(pattern, changes)

    def for_layer(self, name: str) -> "CompressSpec":
        """The spec with what `per_layer` says for this layer."""
        for pattern, changes in self.per_layer.items():
            if fnmatchcase(name, pattern):
                return self._changed(pattern, changes)
        return self

    def _changed(self, pattern: str, changes: Mapping[str, Any]) -> "CompressSpec":
        options = {} if "mask_codec" in changes else dict(self.mask_options)
        own: dict[str, Any] = {}
        found: list[str] = []
        for key, value in changes.items():
            if key.startswith("mask_options."):
                options[key.removeprefix("mask_options.")] = value
            elif key in _KEYS and key not in PER_LAYER:
                found.append(f"{key} cannot be set by layer; {', '.join(PER_LAYER)} can")
            else:
                own["code.id" if key == "code" else key] = value
        of_masks = {name for codec in APPROXIMATE_CODECS.values() for name in _names(codec.settings)}
        known = (*PER_LAYER, *(f"mask_options.{name}" for name in sorted(of_masks)))
        values = fitting(self, nested(own), found, lambda key, value: unknown_key(key, value, known))
        try:
            for problem in found:
                raise CompressError(problem.replace("code.id", "code"))
            return replace(self, **values, mask_options=options, per_layer={})
        except CompressError as error:
            raise CompressError(f"per_layer {pattern!r}: {error}") from error

    def _check_mask_codec(self) -> None:
        codec = self.mask_codec
        if codec is None and self.prune_rate != 0:
            raise CompressError("mask_codec is none, which keeps every weight; prune_rate must be 0")
        if codec not in APPROXIMATE_CODECS:
            if self.mask_options:
                raise CompressError(f"mask_codec {codec!r} is exact and has no mask_options")
            return
        if self.masks is not None:
            raise CompressError(f"mask_codec {codec!r} chooses the mask itself and cannot store given masks")
        default, found = APPROXIMATE_CODECS[codec].settings(), []
        names, of = _names(type(default)), f" of the mask_codec {codec!r}"
        options = merge(
            default, self.mask_options, found, lambda key, value: unknown_key(key, value, names, of)
        )
        for problem in (*found, *problems(options)):
            raise CompressError(f"mask option {problem}")


def check_spec(given: object) -> None:
    """Raises CompressError: it is no spec, but its settings by name, say."""
    if not isinstance(given, CompressSpec):
        what = given.__name__ if isinstance(given, type) else f"a {type(given).__name__}"
        raise CompressError(
            f'spec is {what}, expected such as CompressSpec(layers=("*kernel",), prune_rate=0.9)'
        )


def _no_code(given: object) -> str:
    """The sentence for what is no code, such as the id of one."""
    id = nearest(getattr(given, "id", given), CODES)
    return f"code is {given!r}; it must be a code with its settings; the nearest is {CODES[id].__name__}()"


def _names(settings: type) -> list[str]:
    return [own.name for own in fields(settings)]


_KEYS = {key: stated(own) for key, _, own in leaves(CompressSpec)}
PER_LAYER = tuple(key for key, says in _KEYS.items() if says.per_layer)
"""The settings that layers may have of their own, those of all codes among them."""
