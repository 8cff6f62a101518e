"""How far a long command is: a bar with the time left where standard error is a terminal, and lines above it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xorjax.estimate import duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """Counts the weights of what is worked on by name; `sizes` gives the weights of each."""

    def __init__(self, bar: "Progress", task: "TaskID", sizes: dict[str, int], quiet: bool):
        self._bar, self._task, self._sizes, self._quiet = bar, task, sizes, quiet
        self._done = dict.fromkeys(sizes, 0.0)
        self._at_start = 0.0
        self._started = time.monotonic()

    def update(self, name: str, done: float) -> None:
        self._done[name] = done * self._sizes[name]
        self._bar.update(self._task, description=name, completed=sum(self._done.values()))

    def skip(self, name: str) -> None:
        """What was done before, and says nothing of how fast this command is."""
        self._at_start += self._sizes[name] - self._done[name]
        self.update(name, 1.0)

    def say(self, text: str) -> None:
        if not self._quiet:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @property
    def left(self) -> str:
        """The time left, such as ", about 3 min left"; empty where nothing is."""
        done, total = sum(self._done.values()), sum(self._sizes.values())
        if done >= total:
            return ""
        made = done - self._at_start
        if made <= 0:
            return ""
        seconds = (time.monotonic() - self._started) * (total - done) / made
        return f", about {duration(seconds)} left"


@contextmanager
def progress(sizes: dict[str, int], quiet: bool = False) -> Iterator[Bar]:
    """A bar on standard error, none where that is no terminal; `quiet` leaves out the lines too."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    disable = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as bar:
        yield Bar(bar, bar.add_task("compress", total=sum(sizes.values())), sizes, quiet)
