"""What the stages train on and are measured on: loaded when first needed, shared by the points of a process."""

from dataclasses import dataclass
from functools import lru_cache

from xorjax.artifacts.artifact import Artifact
from xorjax.config.schema import Config, DataConfig
from xorjax.data import Dataset, load_data
from xorjax.data.batches import Split
from xorjax.models import Params, create_model
from xorjax.pipeline.arrays import load_params
from xorjax.pipeline.plan import frozen_blocks
from xorjax.train.predict import features


@dataclass(frozen=True)
class Inputs:
    """The three splits as the inputs of block `start`: images for 0, else the features of the frozen blocks."""

    start: int
    train: Split
    validation: Split
    test: Split


@lru_cache(maxsize=1)
def dataset(config: DataConfig) -> Dataset:
    """The images, read once."""
    return load_data(config)


def training_inputs(config: Config, dense: Artifact) -> Inputs:
    """The inputs of the first block that is not frozen, computed with the weights of the dense model."""
    return _inputs(config.data, config.model.name, _Dense(dense), frozen_blocks(config))


@dataclass(frozen=True)
class _Dense:
    """The dense artifact, hashed by its directory."""

    artifact: Artifact

    def __hash__(self) -> int:
        return hash(self.artifact.directory)


# Two, since a sweep over seeds may alternate; a set of LeNet-5's features of MNIST takes 0.2 GB.
@lru_cache(maxsize=2)
def _inputs(data: DataConfig, model: str, dense: _Dense, start: int) -> Inputs:
    images = dataset(data)
    if start == 0:
        return Inputs(0, images.train, images.validation, images.test)
    graphdef, _ = create_model(model, 0)
    params: Params = load_params(dense.artifact)
    train, validation, test = (
        features(graphdef, params, split, start) for split in (images.train, images.validation, images.test)
    )
    return Inputs(start, train, validation, test)
