"""Training: the jitted step, the epoch loop, checkpoints and metrics."""

from xorjax.train.loop import Task, TrainingError, TrainResult, evaluate, train
from xorjax.train.predict import accuracy, features, predict, run_blocks
from xorjax.train.step import TrainState, Weights, plain, train_step

__all__ = [
    "Task",
    "TrainResult",
    "TrainState",
    "TrainingError",
    "Weights",
    "accuracy",
    "evaluate",
    "features",
    "plain",
    "predict",
    "run_blocks",
    "train",
    "train_step",
]
