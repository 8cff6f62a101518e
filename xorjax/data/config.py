"""The settings of a data set: here, below tasks and the configuration, which both need them."""

from dataclasses import dataclass

from xorjax.settings import Range, setting


@dataclass(frozen=True)
class DataConfig:
    """Which data, and how many examples of it. Where it lies names no artifact."""

    name: str = setting("mnist", help="One of the task's data sets.")
    dir: str = setting(
        "data", help="A directory with the files as published, or one of TFDS.", determines=False
    )
    cache_dir: str = setting(
        ".cache", help="The examples as arrays; may be deleted at any time.", determines=False
    )
    n_train: int | None = setting(None, Range(1), "The first so many; null: all.")
    n_validation: int | None = setting(None, Range(1), "The first so many; null: all.")
    n_test: int | None = setting(None, Range(1), "The first so many; null: all.")
