"""What a `Config` must satisfy beyond what each field says: between settings; every problem is one sentence."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from xorjax.codec.trained import TrainedCode
from xorjax.config.schema import Config, is_exact, matching, models
from xorjax.files import check_name, is_utf8
from xorjax.masks import MASK_CODECS
from xorjax.merge import changed
from xorjax.settings import flat, nearest, one_of, problems, wrong

OPTIMS = ("optim", "prune.optim", "quantize.optim")
"""The keys that hold an `OptimConfig`."""


def find_problems(config: Config) -> list[str]:
    """A sentence for each wrong setting; if each is right alone, one for each contradiction between settings."""
    between = (_layers, _code, _prune, _mask, _training)
    single = [*problems(config), *_report(config), *text_problems(config), *_data(config)]
    return single or [problem for check in between for problem in check(config)]


def rule_problems(config: Config) -> Iterator[str]:
    """A sentence for each wrong rule of `per_layer`; the configuration is right without its rules."""
    alike, pruned = replace(config, per_layer=()), config.pruned_layers
    for pattern, rule in config.per_layer:
        if not matching(pruned, (pattern,)):
            allowed = f"a pattern that matches pruned layers: {', '.join(pruned)}"
            yield wrong("per_layer", pattern, allowed, nearest(pattern, pruned))
        settings = dict(rule)
        found = find_problems(changed(alike, settings))
        if "prune.rate" in settings and config.prune.scope == "global":
            found.append(
                wrong("prune.scope", "global", "layer, where layers have rates of their own", "layer")
            )
        if "mask.codec" in settings and not (
            is_exact(settings["mask.codec"]) and is_exact(config.mask.codec)
        ):
            exact = tuple(filter(is_exact, MASK_CODECS))
            allowed = f"{one_of(exact)}, and so for all layers"
            found.append(wrong("mask.codec", settings["mask.codec"], allowed, "ans_rc"))
        yield from (f"per_layer of {pattern}: {problem}" for problem in found)


def _report(config: Config) -> Iterator[str]:
    name = config.report
    if not re.fullmatch(r"\w[\w.-]*", name):
        near = re.sub(r"[^\w.-]", "_", name).lstrip(".-") or "single"
        yield wrong("report", repr(name), "a directory's name of letters, digits, _ . and -", near)


def text_problems(config: Config) -> Iterator[str]:
    """A sentence for the first text that is no UTF-8, as the environment's may be: results could not hold it."""
    for key, value in flat(config).items():
        if isinstance(value, str) and not is_utf8(value):
            yield f"{key} is {value!r}; it must be UTF-8"
            return
    try:
        check_name(Path(config.paths.runs))
    except OSError as error:
        yield f"paths.runs is {config.paths.runs!r}: {error.strerror}"


def _data(config: Config) -> Iterator[str]:
    name, names = config.data.name, tuple(config.task.datasets)
    if name not in names:
        yield wrong("data.name", repr(name), one_of(names), nearest(name, names))


def _layers(config: Config) -> Iterator[str]:
    model, layers = config.model.name, config.layers
    if not config.prune.layers:
        yield wrong(
            "prune.layers", "[]", f"a list of layers of {model}: {', '.join(layers)}", f"[{layers[0]}]"
        )
    for key, patterns in (("prune.layers", config.prune.layers), ("freeze", config.freeze)):
        for pattern in patterns:
            if not matching(layers, (pattern,)):
                allowed = f"patterns that match layers of {model}: {', '.join(layers)}"
                yield wrong(key, _list(patterns), allowed, nearest(pattern, layers))
    pruned, frozen = config.pruned_layers, config.frozen_layers
    if any(layer in pruned for layer in frozen):
        free = [layer for layer in frozen if layer not in pruned]
        allowed = f"without the layers that prune.layers names, {', '.join(pruned)}"
        yield wrong("freeze", _list(config.freeze), allowed, _list(free))


def _code(config: Config) -> Iterator[str]:
    for clash in config.code.clashes(config.prune.rate):
        yield f"code.{clash}"
    if isinstance(config.code, TrainedCode) and config.code.slicing != "inputs":
        # Kernels of the suite have their outputs last.
        yield wrong("code.slicing", config.code.slicing, "inputs where a network is trained", "inputs")
    if config.code.trained and config.quantize.words != "search" and config.prune.rate:
        yield wrong(
            "prune.rate",
            config.prune.rate,
            "0 unless quantize.words is search",
            0,
        )


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
    if is_exact(mask.codec):
        if mask.index_bits is not None:
            allowed = f"null where mask.codec is exact, as {mask.codec} is: its masks cost what they cost"
            yield wrong("mask.index_bits", mask.index_bits, allowed, "null")
        return
    if rate == 0:
        yield wrong("prune.rate", rate, f"more than 0 for masks by {mask.codec}", 0.5)
    if mask.search == "loop" and mask.rounds == 1:
        yield wrong("mask.rounds", 1, "at least 2 for mask.search=loop: the mask of the last stays", 2)
    if mask.start_rate > rate:
        yield wrong("mask.start_rate", mask.start_rate, f"at most prune.rate, {rate}", rate)
    if config.prune.strategy != "continue":
        near = "continue"
        yield wrong(
            "prune.strategy", repr(config.prune.strategy), f"continue for masks by {mask.codec}", near
        )


def _training(config: Config) -> Iterator[str]:
    data, task = config.data, models()[config.model.name].task
    if config.task.id != task:
        yield wrong("task.id", config.task.id, f"{task}, which {config.model.name} is for", task)
    sizes = config.task.datasets[data.name]
    for name in ("n_train", "n_validation", "n_test"):
        n = sizes[name]
        if (wanted := getattr(data, name)) is not None and wanted > n:
            yield wrong(f"data.{name}", wanted, f"at most {n}, the examples that {data.name} has", n)
    n_train = data.n_train or sizes["n_train"]
    if config.optim.distill:
        yield wrong("optim.distill", config.optim.distill, "0, since the dense model has no teacher", 0)
    for key in OPTIMS:
        optim = attrgetter(key)(config)
        if optim.warmup_epochs > optim.epochs:
            allowed = f"at most {key}.epochs, {optim.epochs}"
            yield wrong(f"{key}.warmup_epochs", optim.warmup_epochs, allowed, optim.epochs)
        if optim.batch_size > n_train:
            allowed = f"at most the number of training examples, {n_train}"
            yield wrong(f"{key}.batch_size", optim.batch_size, allowed, n_train)


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"
