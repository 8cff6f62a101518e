"""What a `Config` must satisfy, setting by setting and between settings; every problem is one sentence."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from xorjax.config.rules import CHOICES, EXACT_MASKS, LAYERS, OPTIMS, RANGES, SPLITS
from xorjax.config.schema import Config, given_n_out


def find_problems(config: Config) -> list[str]:
    """The settings that cannot be; contradictions are sought once each setting is possible alone."""
    between = (_layers, _shape, _prune, _mask, _training)
    return list(_single(config)) or [problem for check in between for problem in check(config)]


def wrong(key: str, value: object, allowed: object, near: object = None) -> str:
    """The sentence for a setting that cannot be: what it is, what it must be, the nearest or the default."""
    hint = f"the default is {_get(Config(), key)}" if near is None else f"the nearest is {near}"
    return f"{key} is {value}; it must be {allowed}; {hint}"


def nearest(value: object, choices: Sequence[str]) -> str:
    """The choice spelled most like `value`."""
    return get_close_matches(str(value), choices, n=1, cutoff=0.0)[0]


def one_of(choices: Sequence[str]) -> str:
    """The choices as a phrase."""
    return f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]


def _single(config: Config) -> Iterator[str]:
    for key, choices in CHOICES.items():
        value = _get(config, key)
        for item in value if isinstance(value, tuple) else (value,):
            if item not in choices:
                yield wrong(key, repr(item), one_of(choices), nearest(item, choices))
    for key, allowed in RANGES.items():
        value = _get(config, key)
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None and item not in allowed:
                yield wrong(key, item, allowed, allowed.nearest(item))
    name = config.report
    if not re.fullmatch(r"\w[\w.-]*", name):
        near = re.sub(r"[^\w.-]", "_", name).lstrip(".-") or "single"
        yield wrong("report", repr(name), "a directory's name of letters, digits, _ . and -", near)


def _layers(config: Config) -> Iterator[str]:
    model, layers = config.model.name, LAYERS[config.model.name]
    if not config.prune.layers:
        yield wrong(
            "prune.layers", "[]", f"a list of layers of {model}: {', '.join(layers)}", f"[{layers[0]}]"
        )
    for key, patterns in (("prune.layers", config.prune.layers), ("freeze", config.freeze)):
        for pattern in patterns:
            if not _matching(layers, (pattern,)):
                allowed = f"patterns that match layers of {model}: {', '.join(layers)}"
                yield wrong(key, _list(patterns), allowed, nearest(pattern, layers))
    pruned, frozen = _matching(layers, config.prune.layers), _matching(layers, config.freeze)
    if any(layer in pruned for layer in frozen):
        free = [layer for layer in frozen if layer not in pruned]
        allowed = f"without the layers that prune.layers names, {', '.join(pruned)}"
        yield wrong("freeze", _list(config.freeze), allowed, _list(free))


def _shape(config: Config) -> Iterator[str]:
    xor = config.xor
    if xor.taps is not None and xor.taps > xor.n_in:
        yield wrong("xor.taps", xor.taps, f"at most xor.n_in, {xor.n_in}", xor.n_in)
    if xor.n_out is not None and xor.fill is not None:
        yield wrong("xor.fill", xor.fill, f"null where xor.n_out is given, here {xor.n_out}", "null")
    n_in, n_out = xor.n_in, given_n_out(config)
    if n_out is not None and n_out <= n_in:
        if xor.n_out is None:
            source = f"null (fill {xor.fill} * n_in {n_in} / (1 - rate {config.prune.rate}) = {n_out})"
        else:
            source = str(n_out)
        yield wrong("xor.n_out", source, f"more than xor.n_in, {n_in}", n_in + 1)


def _prune(config: Config) -> Iterator[str]:
    prune, schedule = config.prune, config.prune.schedule
    if (ascending := sorted(set(prune.through))) != list(prune.through):
        yield wrong("prune.through", list(prune.through), "ascending", ascending)
    if schedule.last < schedule.first:
        allowed = f"at least prune.schedule.first, {schedule.first}"
        yield wrong("prune.schedule.last", schedule.last, allowed, schedule.first)
    if prune.strategy != "continue" and prune.rewind_epoch >= (epochs := config.optim.epochs):
        allowed = f"less than optim.epochs, {epochs}, of which each level repeats the rest"
        yield wrong("prune.rewind_epoch", prune.rewind_epoch, allowed, epochs - 1)


def _mask(config: Config) -> Iterator[str]:
    mask, rate = config.mask, config.prune.rate
    if mask.codec in EXACT_MASKS:
        if mask.index_bits is not None:
            allowed = f"null where mask.codec is exact, as {mask.codec} is: its masks cost what they cost"
            yield wrong("mask.index_bits", mask.index_bits, allowed, "null")
        return
    if rate == 0:
        yield wrong("prune.rate", rate, f"more than 0 for masks by {mask.codec}", 0.5)
    if mask.start_rate > rate:
        yield wrong("mask.start_rate", mask.start_rate, f"at most prune.rate, {rate}", rate)
    if config.prune.strategy != "continue":
        near = "continue"
        yield wrong(
            "prune.strategy", repr(config.prune.strategy), f"continue for masks by {mask.codec}", near
        )


def _training(config: Config) -> Iterator[str]:
    data, available = config.data, SPLITS[config.data.name]
    for name, n in available.items():
        if (wanted := getattr(data, name)) is not None and wanted > n:
            yield wrong(f"data.{name}", wanted, f"at most {n}, the images that {data.name} has", n)
    n_train = data.n_train or available["n_train"]
    for key in OPTIMS:
        optim = _get(config, key)
        if optim.warmup_epochs > optim.epochs:
            allowed = f"at most {key}.epochs, {optim.epochs}"
            yield wrong(f"{key}.warmup_epochs", optim.warmup_epochs, allowed, optim.epochs)
        if optim.batch_size > n_train:
            allowed = f"at most the number of training images, {n_train}"
            yield wrong(f"{key}.batch_size", optim.batch_size, allowed, n_train)


def _matching(layers: Sequence[str], patterns: Sequence[str]) -> list[str]:
    return [layer for layer in layers if any(fnmatchcase(layer, pattern) for pattern in patterns)]


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"


def _get(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value
