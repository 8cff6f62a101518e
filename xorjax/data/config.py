"""The settings of a data set: here, below tasks and the configuration, which both need them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataConfig:
    """Which data, and how many examples of it (`None`: the whole split). Where it lies names no artifact."""

    name: str = "mnist"
    dir: str = field(default="data", metadata={"determines": False})
    cache_dir: str = field(default=".cache", metadata={"determines": False})
    n_train: int | None = None
    n_validation: int | None = None
    n_test: int | None = None
