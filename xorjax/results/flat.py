"""The config of a row, a JSON text: its settings by dotted key, and which of them determine nothing."""

import json
from collections.abc import Iterator
from functools import lru_cache
from sys import intern
from typing import Any


@lru_cache(maxsize=2**15)
def flat_config(config: str) -> dict[str, Any]:
    """A row's config as one flat dict, dotted key -> value (a tuple where it is a list).

    Raises ValueError if it is no JSON object.
    """
    tree = json.loads(config)
    if not isinstance(tree, dict):
        raise ValueError(f"a config is a JSON object, not a {type(tree).__name__}")
    return dict(_leaves("", tree))


def _leaves(prefix: str, tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield intern(prefix + key), tuple(value) if isinstance(value, list) else value


def determines_nothing(key: str) -> bool:
    """Whether a config key only says where files are, or what is shown of the results."""
    return key.startswith(("paths.", "sweep.")) or key in ("data.dir", "data.cache_dir", "report", "trackers")
