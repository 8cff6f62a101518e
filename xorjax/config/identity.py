"""Names of artifacts: a hash of what determines them, so that whatever points have in common is made once.

A setting added later must leave the names of old artifacts valid: its default is what they were made with, its field
says `added`, and it enters the hash only when it differs.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any

from xorjax.settings import stated

SCHEMA_VERSION = 2
"""Raised when artifacts of the same settings are no longer the same: everything is then made anew."""

_DIGITS = 10


def identity(stage: str, determines: Any, upstream: str | None = None, slug: str | None = None) -> str:
    """The name of a stage's artifact, "<slug>-<10 hex digits>".

    Args:
        stage: the stage; part of the hash.
        determines: whatever determines the artifact besides `upstream`: a dataclass, or a mapping of values,
            dataclasses and lists of them.
        upstream: the name of the artifact that this one is made from; of it the hash counts, not the slug.
        slug: what to call it, for people; by default the stage. Not part of the hash.
    """
    parts = [stage, SCHEMA_VERSION, canonical(determines), upstream and upstream[-_DIGITS:]]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"{slug or stage}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def canonical(value: Any) -> Any:
    """`value` as plain JSON, the same for values that mean the same.

    Dataclasses become dicts of the settings that count, with the `id` of those that have one, tuples become lists,
    whole floats integers.

    Raises:
        TypeError: a type that has no canonical form.
        ValueError: a number that is not finite.
    """
    if is_dataclass(value) and not isinstance(value, type):
        id = {"id": own} if (own := getattr(value, "id", None)) is not None else {}
        counting = (field.name for field in fields(value) if counts(value, field))
        return id | {name: canonical(getattr(value, name)) for name in counting}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"the keys {list(value)} have no canonical form; expected texts")
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical form; expected a finite number")
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"{value!r} of type {type(value).__name__} has no canonical form")


def counts(settings: Any, field: Field) -> bool:
    """Whether a setting determines anything beside the others of its group, `settings`."""
    says = stated(field)
    if not says.determines or (says.applies is not None and not says.applies(settings)):
        return False
    return not (says.added and getattr(settings, field.name) == field.default)
