"""What to compress and how: one value, checked when it is made, and what it is for each layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from xorjax.codec.code import CODES, Code
from xorjax.codec.xor import XorCode
from xorjax.compression.errors import CompressError
from xorjax.container.spec import kind_name
from xorjax.masks import APPROXIMATE_CODECS, MASK_CODECS, EncodedMask
from xorjax.quantize.binarize import MAX_PLANES, SCALES
from xorjax.settings import FRACTION, Range, coerce, leaves, nearest, problems, setting, stated

SCALE_DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, eq=False)
class CompressSpec:
    """The layers, how they are pruned and binarized, and how the result is stored.

    Attributes:
        layers: fnmatch patterns over the tensors' names, such as "*.fc?.weight"; what no pattern matches is kept
            as it is.
        prune_rate: the fraction of each layer's weights that is removed, smallest magnitudes first.
        masks: in place of `prune_rate`, the mask of each layer by its tensor's name; booleans, or bytes of
            0 and 1; 1 = kept. An `EncodedMask`, such as `.index` of a layer that a first compression gave, is
            stored in its own code: so is an approximate mask under which the network was trained.
        skip: patterns of tensors that are kept although one of `layers` matches them.
        n_planes: bit planes, each with its own scales.
        scale: what shares a scale: "tensor", "channel" (an index of the last axis: an output of a flax kernel) or
            "row" (an index of the first: an output of a torch weight).
        scale_dtype: what scales are stored as.
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
    masks: Mapping[str, np.ndarray | EncodedMask] | None = None
    skip: tuple[str, ...] = ()
    n_planes: int = setting(1, Range(1, MAX_PLANES), "Bit planes a weight.", per_layer=True)
    scale: str = setting(
        "channel",
        SCALES,
        "What shares a scale: tensor, channel (an index of the last axis: an output of flax's (in, out)) or row (an "
        "index of the first axis: an output of torch's (out, in)).",
        per_layer=True,
    )
    scale_dtype: str = setting("float32", SCALE_DTYPES, "What scales are stored as.", per_layer=True)
    code: Code = field(default_factory=XorCode)
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
        if not self.layers:
            raise CompressError("layers is empty, expected one pattern or more")
        if (self.prune_rate is None) == (self.masks is None):
            raise CompressError("one of prune_rate and masks is expected, and not both")
        for settings in (self, self.code):
            _check_types(type(settings), {own.name: getattr(settings, own.name) for own in fields(settings)})
        for problem in problems(self):
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
        try:
            code = changes.get("code", self.code)
            if isinstance(code, str):
                if code not in CODES:
                    raise CompressError(_unknown("code", code, CODES))
                code = CODES[code]()
            if not isinstance(code, Code):
                raise CompressError(
                    f"code is {code!r}; it must be one of {', '.join(CODES)}, or such a value"
                )
            options = {} if "mask_codec" in changes else dict(self.mask_options)
            own: dict[str, Any] = {}
            of_code: dict[str, Any] = {}
            groups = {"code": of_code, "mask_options": options}
            for key, value in changes.items():
                group, dot, name = key.partition(".")
                if group in groups and dot:
                    groups[group][name] = value
                elif key != "code":
                    own[key] = value
            _check_names("setting", own, layer_settings(type(self)), "code")
            _check_names(f"setting of the code {code.id}", of_code, layer_settings(type(code)))
            _check_types(type(self), own)
            _check_types(type(code), of_code)
            code = replace(code, **of_code)
            return replace(self, **own, code=code, mask_options=options, per_layer={})
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
        options = APPROXIMATE_CODECS[codec].settings
        names = [own.name for own in fields(options)]
        _check_names(f"option of the mask_codec {codec!r}", self.mask_options, names)
        _check_types(options, self.mask_options)
        for problem in problems(options(**self.mask_options)):
            raise CompressError(f"mask option {problem}")


def layer_settings(cls: type) -> list[str]:
    """The settings of a code or of `CompressSpec` that a layer may have for itself."""
    return [own.name for own in fields(cls) if stated(own).per_layer]


def _check_types(cls: type, given: Mapping[str, Any]) -> None:
    """Whether each setting of `cls` is of its type; an integer is a float too."""
    for name, hint, own in leaves(cls):
        if name not in given or not stated(own).help:
            continue
        value = given[name]
        try:
            # A number is no name, though a configuration takes it for one.
            fits = isinstance(value, str) if hint is str else coerce(hint, value) == value
        except TypeError:
            fits = False
        if not fits:
            raise CompressError(f"{name} is {value!r}; it must be of the type {kind_name(hint)}")


def _check_names(what: str, given: Iterable[str], known: list[str], *more: str) -> None:
    for name in given:
        if name not in known:
            raise CompressError(_unknown(what, name, [*known, *more]))


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    choices = list(known)
    if not choices:
        return f"there is no {what} called {name!r}: it has none"
    near = nearest(name, choices)
    return f"there is no {what} called {name!r}; there are {', '.join(choices)}; the nearest is {near}"
