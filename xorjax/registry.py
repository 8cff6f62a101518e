"""Entries of a room by id, one a file: a module of the package adds its own, and no list has to name it."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from xorjax.errors import UserError
from xorjax.settings import nearest

Entry = TypeVar("Entry")
Added = TypeVar("Added")


class UnknownId(UserError, ValueError):
    """An id that a user wrote and no registry has; the message names the nearest."""


class Registry(Mapping[str, Entry]):
    """The entries that the modules of `package` add by `register`, in the order of the modules' names.

    The modules are imported when an entry is first asked for. Ids come from these modules alone: a text out of a file
    or a setting is looked up here and never imported.

    Args:
        package: the room, "xorjax.codec".
        what: what an entry is called in messages, "code".
    """

    def __init__(self, package: str, what: str):
        self.package, self.what = package, what
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def register(self, entry: Added) -> Added:
        """Add an entry under its `id`; a decorator for classes.

        Raises:
            TypeError: another entry has this id; names the files of both.
        """
        added: Any = entry
        if (first := self._entries.setdefault(added.id, added)) is not entry:
            raise TypeError(f"two {self.what}s are called {added.id!r}: in {_file(first)} and {_file(added)}")
        return entry

    def __getitem__(self, id: str) -> Entry:
        """The entry called `id`.

        Raises:
            KeyError: there is none.
        """
        return self._load()[id]

    def find(self, id: str) -> Entry:
        """As `[id]`, for ids that users write.

        Raises:
            UnknownId: there is none; names all and the nearest.
        """
        entries = self._load()
        if id not in entries:
            raise UnknownId(
                f"there is no {self.what} {id!r}; it must be one of {', '.join(entries)}; "
                f"the nearest is {nearest(id, entries)}"
            )
        return entries[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def _load(self) -> dict[str, Entry]:
        if not self._complete:
            package = import_module(self.package)
            for module in sorted(module.name for module in iter_modules(package.__path__)):
                import_module(f"{self.package}.{module}")
            # Whoever imported a module before had its entries added first.
            self._entries = dict(sorted(self._entries.items(), key=lambda item: _module(item[1])))
            self._complete = True
        return self._entries


def _file(entry: Any) -> str:
    """Where an entry, or its class, was written."""
    module = _module(entry)
    return getattr(sys.modules.get(module), "__file__", None) or module


def _module(entry: Any) -> str:
    return getattr(entry, "__module__", type(entry).__module__)
