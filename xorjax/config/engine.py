"""The engine that `hydra/launcher` chooses: what makes the stages of a sweep or a search."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.errors import InstantiationException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from xorjax.config.errors import ConfigError
from xorjax.errors import UserError


def start_engine(settings: DictConfig) -> Any:
    """The engine that settings give by name, with its arguments.

    Raises:
        EngineError: it cannot be had.
    """
    try:
        return instantiate(settings)
    except InstantiationException as error:
        if not isinstance(error.__cause__, UserError):
            raise
        # Its own sentence, without Hydra's around it.
        raise error.__cause__ from None


@contextmanager
def open_engine(overrides: Sequence[str]) -> Iterator[Any]:
    """The engine that the overrides choose, as long as the block runs, in which Hydra is initialized.

    Raises:
        ConfigError: their launcher has none.
        EngineError: it cannot be had.
    """
    loader = GlobalHydra.instance().config_loader()
    hydra = loader.load_configuration("train", list(overrides), RunMode.MULTIRUN).hydra
    if "engine" not in hydra.launcher:
        launcher = hydra.runtime.choices["hydra/launcher"]
        raise ConfigError(
            [f"hydra/launcher={launcher} has no engine to search with; it must be serial, joblib or ray"]
        )
    with closing(start_engine(hydra.launcher.engine)) as engine:
        yield engine
