"""Training: the jitted step, the epoch loop, checkpoints and metrics."""

from xorjax.train.loop import TrainingError, TrainResult, evaluate, train
from xorjax.train.predict import features, predict, score
from xorjax.train.step import Form, Forward, Recipe, TrainState, plain, train_step

__all__ = [
    "Form",
    "Forward",
    "Recipe",
    "TrainResult",
    "TrainState",
    "TrainingError",
    "evaluate",
    "features",
    "plain",
    "predict",
    "score",
    "train",
    "train_step",
]
