"""The arguments that several commands share, made of the settings' own fields, and the `CompressSpec` of them."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from xorjax.commands.errors import UsageError

if TYPE_CHECKING:
    from dataclasses import Field

    from xorjax.compression import CompressSpec

_FLAGS = {"n_planes": "--planes"}
RENAMED = {"layout": "slicing", "layout_seed": "slicing_seed"}
_BOOLS = {"true": True, "false": False}
_NOTHING = ("none", "auto")
"""Null, where a setting may be that: what is not limited, or is chosen for each layer."""


class CommandParser(argparse.ArgumentParser):
    """A command's parser. `state` states those of its options that need the registries, when it parses.

    To import those takes a while, which `xorjax --help` need not wait for.
    """

    state: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(self, *args, **kwargs):
        if self.state is not None:
            stating, self.state = self.state, None
            stating(self)
        return super().parse_known_args(*args, **kwargs)


def add_code_options(parser: argparse.ArgumentParser, codes: Mapping[str, type]) -> None:
    """An option for each setting of these codes, and for their masks'."""
    from xorjax.compression import CompressSpec

    group = parser.add_argument_group(
        "code", "Where a setting may be null, none says so, or auto where null is chosen for each layer."
    )
    held: dict[str, list[tuple[Any, str]]] = {}
    for id, cls in codes.items():
        hints = get_type_hints(cls)
        for own in fields(cls):
            text = f"{id}: {_help(own)}" if len(codes) > 1 else _help(own)
            held.setdefault(own.name, []).append((hints[own.name], text))
    for name, owners in held.items():
        # Codes may differ in whether a setting of theirs may be null.
        widest, _ = max(owners, key=lambda owner: len(_kinds(owner[0])))
        add_setting(group, name, widest, "; ".join(text for _, text in owners))
    add_settings(group, CompressSpec, ("mask_codec",))
    for old, new in RENAMED.items():
        group.add_argument(_flag(old), type=_renamed(old, new), help=argparse.SUPPRESS)


def add_settings(group: Any, cls: type, names: Iterable[str]) -> None:
    """An option for each of these fields of `cls`."""
    hints, held = get_type_hints(cls), {own.name: own for own in fields(cls)}
    for name in names:
        add_setting(group, name, hints[name], _help(held[name]))


def add_setting(group: Any, name: str, hint: Any, help: str) -> None:
    group.add_argument(
        _FLAGS.get(name) or _flag(name),
        dest=name,
        type=_parser(hint),
        default=argparse.SUPPRESS,
        metavar={int: "N", float: "X"}.get(_kinds(hint)[0], "ID"),
        help=help,
    )


def _help(own: "Field") -> str:
    from xorjax.settings import stated

    says = stated(own)
    allowed = f"; {says.allowed}" if says.choices is None and says.allowed is not None else ""
    allowed = f"; one of {', '.join(says.choices)}" if says.choices is not None else allowed
    default = own.default if own.default is not None else "none"
    return f"{says.help.rstrip('.')}{allowed} (default {default})"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types that a setting takes, null at the end."""
    return getattr(hint, "__args__", (hint,))


def _parser(hint: Any) -> Callable[[str], Any]:
    kinds = _kinds(hint)

    def parse(text: str) -> Any:
        if type(None) in kinds and text in _NOTHING:
            return None
        if kinds[0] is bool:
            if text not in _BOOLS:
                raise ValueError(text)
            return _BOOLS[text]
        return kinds[0](text)

    parse.__name__ = kinds[0].__name__  # for argparse's message
    return parse


def _renamed(old: str, new: str) -> Callable[[str], None]:
    def refuse(text: str) -> None:
        raise argparse.ArgumentTypeError(f"it is called {_flag(new)} now: {_flag(new)} {text}")

    return refuse


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="overwrite OUT if it exists")


def given(args: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options that were given, by setting: those of `add_setting` are not in `args` else."""
    return {name: getattr(args, name) for name in names if name in args}


def make_spec(args: argparse.Namespace, **settings) -> "CompressSpec":
    """The spec of the options and `settings`; what was not given is left to the defaults of code and spec.

    Raises:
        UsageError: a setting is out of range or unknown, or the code has no such setting.
    """
    from xorjax.codec.code import CODES
    from xorjax.compression import CompressError, CompressSpec

    id = getattr(args, "code", "xor")
    if id not in CODES:
        raise UsageError(f"argument --code: invalid value: {id!r} (one of {', '.join(CODES)})")
    of_code = given(args, {own.name for cls in CODES.values() for own in fields(cls)})
    held = [own.name for own in fields(CODES[id])]
    for name in of_code.keys() - set(held):
        known = f"it has {', '.join(map(_flag, held))}" if held else "it has no settings"
        raise UsageError(f"argument {_flag(name)}: the code {id} has no such setting; {known}")
    own = given(args, ("n_planes", "scale", "scale_dtype", "mask_codec", "prune_rate"))
    try:
        return CompressSpec(code=CODES[id](**of_code), **own, **settings)
    except CompressError as error:
        raise UsageError(str(error)) from error


def rules(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The settings by layer of `--per-layer PATTERN:KEY=VALUE,KEY=VALUE`.

    Raises:
        UsageError: a rule is not written so, or a pattern stands there twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        pattern, _, settings = text.rpartition(":")
        pairs = [setting.partition("=") for setting in settings.split(",")]
        if not pattern or not all(key and value for key, _, value in pairs) or pattern in found:
            twice = "; its pattern stands there twice" if pattern in found else ""
            raise UsageError(
                f"argument --per-layer: invalid value: {text!r} (PATTERN:KEY=VALUE,... is expected{twice})"
            )
        found[pattern] = {key.strip().replace("-", "_"): literal(value.strip()) for key, _, value in pairs}
    return found


def literal(text: str) -> bool | int | float | str | None:
    """A number, true or false, null, or a name."""
    if text in _BOOLS:
        return _BOOLS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None if text in _NOTHING else text
