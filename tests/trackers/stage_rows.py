"""What a stage tells its trackers: lines of metrics, and a result row."""

from typing import Any

ROW: dict[str, Any] = {
    "experiment": "tiny",
    "model": "lenet5",
    "dataset": "mnist",
    "layer": "fc1",
    "seed": 0,
    "code": "xor",
    "baseline": False,
    "metric": "accuracy",
    "prune_rate": 0.95,
    "n_in": 20,
    "n_out": 448,
    "method": "minimum",
    "patch_format": "care",
    "mask_codec": "ans_rc",
    "bits_per_weight": 0.32,
    "code_bits": 0.045,
    "patch_bits": 0.015,
    "index_bits": 0.259,
    "scale_bits": 0.001,
    "test_metric": 0.99,
    "validation_metric": 0.98,
    "dense_metric": None,
    "reference_metric": None,
}


def epochs(first: int, last: int) -> list[dict]:
    """The lines of the epochs `first` to `last`."""
    return [
        {"epoch": epoch, "step": 10 * epoch, "train_loss": 1 / epoch, "validation_metric": 1 - 0.5**epoch}
        | {"metric": "accuracy"}
        for epoch in range(first, last + 1)
    ]


def interrupted_stage(tracker, name: str, rows: list[dict]) -> None:
    """A stage that is stopped by Ctrl-C after these lines."""
    with tracker.stage("dense", name, {"seed": 0}) as log:
        for row in rows:
            log(row)
        raise KeyboardInterrupt
