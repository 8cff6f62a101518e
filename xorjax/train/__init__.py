"""Training: the jitted step, the epoch loop, checkpoints and metrics."""

from xorjax.train.loop import Recipe, TrainingError, TrainResult, evaluate, train
from xorjax.train.predict import features, predict, run_blocks, score
from xorjax.train.step import Form, Forward, TrainState, plain, train_step

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
    "run_blocks",
    "score",
    "train",
    "train_step",
]
