"""What the stages train on and are measured on: loaded when first needed, shared by the points of a process."""

from dataclasses import dataclass
from functools import lru_cache

from xorjax.artifacts.artifact import Artifact
from xorjax.config.schema import Config
from xorjax.data.config import DataConfig
from xorjax.models import Network, Params, State, create_model
from xorjax.models.registry import MODELS, blocks_of
from xorjax.params import is_within
from xorjax.pipeline.arrays import load_params, load_state
from xorjax.tasks.task import Dataset, Split, Task
from xorjax.train.predict import features


@dataclass(frozen=True)
class Inputs:
    """The three splits as the inputs of block `start`: the task's for 0, else the features of the frozen blocks."""

    start: int
    train: Split
    validation: Split
    test: Split


def new_model(config: Config) -> tuple[Network, Params, State]:
    """The model as it is before training, for the sizes of the data set."""
    return create_model(config.model.name, config.seed, config.task.datasets[config.data.name])


@lru_cache(maxsize=1)
def dataset(task: Task, data: DataConfig) -> Dataset:
    """The data, read once."""
    return task.load(data)


def training_inputs(config: Config, network: Network, dense: Artifact) -> Inputs:
    """The inputs of the first block that is not frozen, computed with the weights of the dense model."""
    start = frozen_blocks(config, network)
    return _inputs(config.task, config.data, network, _Dense(dense), start)


def frozen_blocks(config: Config, network: Network) -> int:
    """How many blocks at the start of the model never change after dense training, nor what they are given.

    0 for a model without blocks, and where inputs are augmented.
    """
    frozen, blocks = config.frozen_layers, blocks_of(MODELS[config.model.name])
    if not frozen or config.task.augments:
        return 0
    moving = [variable.name for variable in network.variables if not is_within(variable.name, frozen)]
    return next(
        (i for i, block in enumerate(blocks) if any(is_within(name, (block,)) for name in moving)),
        len(blocks),
    )


@dataclass(frozen=True)
class _Dense:
    """The dense artifact, hashed by its directory."""

    artifact: Artifact

    def __hash__(self) -> int:
        return hash(self.artifact.directory)


# Two, since a sweep over seeds may alternate; a set of LeNet-5's features of MNIST takes 0.2 GB.
@lru_cache(maxsize=2)
def _inputs(task: Task, data: DataConfig, network: Network, dense: _Dense, start: int) -> Inputs:
    own = dataset(task, data)
    splits = (own.train, own.validation, own.test)
    if start:
        arrays = load_params(dense.artifact), load_state(dense.artifact)
        splits = [features(task, network, *arrays, split, start) for split in splits]
    return Inputs(start, *splits)
