"""What files of strangers, or of another version, are allowed to say: plain names, finite numbers, text."""

import json
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard

from xorjax.errors import UserError

_NAME = re.compile(r"[\w+=,@-][\w.+=,@ -]*", re.ASCII)


class UnreadableError(UserError, ValueError):
    """A file is not what the pipeline writes; the message says how."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        UnreadableError: it is none; names the file.
        OSError: the file cannot be read.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnreadableError(f"{path.name} holds a {type(value).__name__}, expected an object")
    return value


def is_name(value: object) -> TypeGuard[str]:
    """Whether it is the name of a file in some directory, and nothing else."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        finite = float(value)
    except OverflowError:
        return None
    return finite if math.isfinite(finite) else None


def text(value: object) -> str | None:
    """A text, or None."""
    return value if isinstance(value, str) else None


def seconds_of(time: str | None) -> float | None:
    """An ISO time in seconds since 1970, or None."""
    try:
        return datetime.fromisoformat(time).timestamp() if time else None
    except (ValueError, OverflowError):
        return None
