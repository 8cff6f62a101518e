"""The command line's overrides, checked before Hydra sees them: for a wrong key it would advise `+key`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_origin

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from xorjax.config.errors import ConfigError
from xorjax.config.validate import KEYS, KINDS, SECTIONS, new_name
from xorjax.files import is_utf8
from xorjax.merge import nearest_key
from xorjax.settings import nearest, one_of

APPENDED = ("experiment", "debug")
"""The groups that are not in the defaults list: `+experiment=NAME`."""


def check_arguments(argv: Sequence[str], conf: Path) -> None:
    """Check the overrides among the command line's arguments; Hydra's flags are its own business.

    Raises:
        ConfigError: as `check_overrides`; or a setting is written as an option.
    """
    for text in argv:
        # "--experiment" would be short for an option of Hydra's.
        name, _, value = text.removeprefix("--").partition("=")
        if text.startswith("--") and name in find_groups(conf):
            plus = "+" if name in APPENDED else ""
            raise ConfigError([f"{text} is no option; write {plus}{name}={value or '...'}"])
        if not is_utf8(text):
            raise ConfigError([f"{text!r} is no UTF-8, and the table of results holds the command"])
    arguments, _ = get_args_parser().parse_known_args(argv)
    if not (arguments.help or arguments.hydra_help or arguments.shell_completion):
        check_overrides(arguments.overrides, conf)


def as_sweep(argv: Sequence[str]) -> list[str]:
    """The arguments that Hydra takes for a sweep where one is an override of several values.

    An experiment says by itself whether it sweeps, as `hydra.mode` and Hydra's flags do.
    """
    arguments, _ = get_args_parser().parse_known_args(argv)
    flags = ("multirun", "run", "cfg", "info", "help", "hydra_help", "shell_completion")
    said = any(text.startswith(("+experiment=", "hydra.mode=")) for text in arguments.overrides)
    if said or any(getattr(arguments, flag) for flag in flags):
        return list(argv)
    sweeps = any(override.is_sweep_override() for override in _parsed(arguments.overrides))
    return ["-m", *argv] if sweeps else list(argv)


def check_overrides(overrides: Sequence[str], conf: Path) -> None:
    """Check that every override names a setting or a choice of a group; those of `hydra` are left to Hydra.

    Args:
        overrides: as on the command line, "prune.rate=0.9,0.95" or "+experiment=lenet_sweep".
        conf: the directory of the groups.

    Raises:
        ConfigError: an unknown setting, group or choice, with the nearest; all of them in one error.
    """
    groups = find_groups(conf)
    problems = [problem for text in overrides for problem in _problems(text, groups)]
    appended = [group for text in overrides for group in APPENDED if text.startswith(f"+{group}=")]
    if appended != sorted(appended, key=APPENDED.index):
        problems.append("+experiment would override +debug; put +debug last: +experiment=... +debug=...")
    if problems := problems or list(_missing_lines(_parsed(overrides), conf)):
        raise ConfigError(problems)


def _parsed(overrides: Sequence[str]) -> list[Override]:
    return [OverridesParser.create().parse_override(text) for text in overrides]


def _missing_lines(overrides: Sequence[Override], conf: Path) -> Iterator[str]:
    """A sentence for each setting of a kind that is given, beside a kind whose file does not have it.

    Hydra would say of either that it is not there; where no chosen kind has the setting, that is right.
    """
    groups = find_groups(conf)
    for group, kinds in KINDS.items():
        chosen = [o for o in overrides if o.key_or_group == group]
        choices = _choices(chosen[-1], groups[group]) if chosen else []
        for override in overrides:
            key = override.key_or_group
            inside, _, name = key.partition(".")
            if inside != group or not name or override.is_delete():
                continue
            without = [choice for choice in choices if name not in _lines(conf, group, choice)]
            having = [choice for choice in choices if name in _fields(kinds(), conf, group, choice)]
            for choice in set(without) & set(having):
                yield (
                    f"{key} (in {override.input_line}): conf/{group}/{choice}.yaml has no line {name!r}, though "
                    f"{group}={choice} has the setting; add the line with its default"
                )
            others = [f"{group}={choice}" for choice in without if choice not in having]
            if having and others:
                owners = " and ".join(f"{group}={choice}" for choice in having)
                yield (
                    f"{key} (in {override.input_line}) is a setting of {owners}, but not of {' and '.join(others)}, "
                    "which is swept with it; give each a command of its own"
                )


def swept_in_vain(
    params: Sequence[Override], given: Sequence[Override], conf: Path, key: str
) -> Iterator[str]:
    """A sentence for each of an experiment's overrides under `key` that is a setting of no kind that is chosen."""
    groups = find_groups(conf)
    own = {override.key_or_group for override in given}
    for group, kinds in KINDS.items():
        chosen = [o for o in given if o.key_or_group == group]
        inside = [p for p in params if p.key_or_group.startswith(f"{group}.") and p.key_or_group not in own]
        if not chosen or not inside:
            continue
        known = [_fields(kinds(), conf, group, choice) for choice in _choices(chosen[-1], groups[group])]
        for param in inside:
            name = param.key_or_group.removeprefix(f"{group}.")
            if known and not any(name in fields for fields in known):
                yield (
                    f"{param.input_line} is of the experiment's sweep, and {chosen[-1].input_line} has no such "
                    f"setting; {key}=null leaves that sweep out, for one of your own"
                )


def _lines(conf: Path, group: str, choice: str) -> dict[str, Any]:
    """What a file of a group sets, with the files of the group that it is made from."""
    own = OmegaConf.to_container(OmegaConf.load(conf / group / f"{choice}.yaml"))
    assert isinstance(own, dict)
    before = [
        _lines(conf, group, other)
        for other in own.pop("defaults", ())
        if isinstance(other, str) and other != "_self_"
    ]
    return {str(key): value for lines in (*before, own) for key, value in lines.items()}


def _fields(kinds: Mapping[str, type], conf: Path, group: str, choice: str) -> set[str]:
    """The settings of the kind that a file of a group chooses."""
    kind = kinds.get(str(_lines(conf, group, choice).get("id", choice)))
    return set() if kind is None else {own.name for own in fields(kind)}


def find_groups(conf: Path) -> dict[str, list[str]]:
    """The choices of every group under `conf`, Hydra's own group apart."""
    groups: dict[str, list[str]] = {}
    for file in sorted(conf.rglob("*.yaml")):
        group = file.parent.relative_to(conf).as_posix()
        if group.split("/")[0] not in (".", "hydra"):
            groups.setdefault(group, []).append(file.stem)
    return groups


def _problems(text: str, groups: dict[str, list[str]]) -> Iterator[str]:
    if not is_utf8(text):
        yield f"{text!r} is no UTF-8, and the table of results holds the command"
        return
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        reason = str(error).splitlines()[0]
        key, _, value = text.partition("=")
        if "=" not in text:
            reason = "it gives no value; several values are written seed=0,1,2"
        elif not text.isascii():
            reason += f"""; letters other than ASCII need quotes in quotes: '{key}="{value}"'"""
        yield f"{text!r} is not an override such as prune.rate=0.9: {reason}"
        return
    key = override.key_or_group
    if key.split("/")[0].split(".")[0] == "hydra":
        return
    if (new := new_name(key)) is not None:
        value = text.partition("=")[2]
        if new == "code":
            value = value.replace("minimum", "xor")
        yield f"{text} is written {new}={value} now"
    elif override.is_delete():
        yield f"{text} removes a setting; every setting must have a value, such as {key}=VALUE"
    elif key in groups:
        yield from _group_problems(override, groups)
    elif key not in KEYS and key not in SECTIONS:
        names = [f"+{group}" if group in APPENDED else group for group in groups]
        names += [known for known in KEYS if f"+{known}" not in names]
        yield f"{key} (in {text}) is not a setting; the nearest is {nearest_key(key, names)}"
    elif key in [f"{group}.id" for group in KINDS]:
        yield f"{key} (in {text}) is chosen with its group; write {key.removesuffix('.id')}=CHOICE"
    elif override.package is not None:
        yield f"{key} (in {text}) is a setting, not a group; write {key}=VALUE"
    elif override.is_add():
        yield f"{text} adds a setting that is there already; the nearest is {text.lstrip('+')}"
    elif isinstance(override.value(), list) and key in KEYS and get_origin(KEYS[key]) is not tuple:
        values = override.get_value_element_as_str().strip("[]") or "A,B"
        yield f"{text} is a list, and {key} takes one value; several, to sweep over, are written {key}={values}"


def _group_problems(override: Override, groups: dict[str, list[str]]) -> Iterator[str]:
    group, text = override.key_or_group, override.input_line
    for name in _choices(override, groups[group]):
        if name not in groups[group]:
            choices = groups[group]
            yield (
                f"{group} has no choice {name!r} (in {text}); it must be {one_of(choices)}; "
                f"the nearest is {nearest(name, choices)}"
            )
            return
    if group == "experiment" and len(_choices(override, groups[group])) > 1:
        yield f"{text} names several experiments, each with its own sweep; give each a command of its own"
        return
    if group in APPENDED:
        if isinstance(override.value(), Glob) and not _choices(override, groups[group]):
            yield f"{text} matches no {group}; it must be {one_of(groups[group])}"
        if not override.is_add() or override.package is not None:
            choice = next(iter(_choices(override, groups[group])), "...")
            yield f"{text}: {group} is appended to the defaults; write +{group}={choice}"
        return
    places = [section for section in SECTIONS if section.endswith(f".{group}")]
    if override.is_add() or override.is_force_add():
        yield f"{text} adds a group that is there already; the nearest is {(text or '').lstrip('+')}"
    elif override.package is not None and override.package not in places:
        allowed = [group, *(f"{group}@{place}" for place in places)]
        wanted = f"{group}@{override.package}"
        yield f"{wanted} (in {text}) is not a group; the nearest is {nearest(wanted, allowed)}"


def _choices(override: Override, known: Sequence[str]) -> list[str]:
    """The names that an override of a group gives: one, several appended at once, or those of a sweep.

    `known` are all of the group, among which glob() chooses.
    """
    if isinstance(pattern := override.value(), Glob):
        return pattern.filter(list(known))
    value: Any = list(override.sweep_string_iterator()) if override.is_sweep_override() else override.value()
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
