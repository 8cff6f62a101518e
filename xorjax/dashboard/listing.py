"""The names in a directory, read again only when it changed."""

import os
import time
from pathlib import Path

_RACY_SECONDS = 2.0


class Listing:
    """The names in a directory, none while it does not exist. `version` grows when they change."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.names: frozenset[str] = frozenset()
        self.version = 0
        self._seen: tuple[int, int] | None = None

    def look(self) -> bool:
        """Read the directory again if it may have changed since the last look: a name more, less, or replaced."""
        try:
            status = os.stat(self.directory)
            seen = (status.st_mtime_ns, status.st_ino)
            if seen == self._seen:
                return False
            names = frozenset(os.listdir(self.directory))
            # A clock of coarse ticks: what changes in the same tick after this look leaves the time as it is.
            self._seen = seen if time.time() - status.st_mtime > _RACY_SECONDS else None
        except OSError:
            names, self._seen = frozenset[str](), None
        if names == self.names:
            return bool(names)
        self.names = names
        self.version += 1
        return True
