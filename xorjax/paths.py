"""Every file name of a run. `runs/` holds one directory a kind of artifact, and one report an experiment."""

from pathlib import Path

ARTIFACT = "artifact.json"
"""Written last: a directory without it is not whole."""
ARRAYS = "arrays.safetensors"
COMPRESSED = "model.safetensors"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"


def kept_arrays(epoch: int) -> str:
    """The parameters that dense training kept of an early epoch, to rewind to."""
    return f"arrays-epoch{epoch}.safetensors"


def artifact_dir(runs: Path, kind: str, name: str) -> Path:
    return runs / kind / name


def partial_dir(runs: Path, kind: str, name: str) -> Path:
    """Where an artifact is made; renamed to `artifact_dir` when whole."""
    return runs / kind / f"{name}.partial"


def set_aside_dir(runs: Path, kind: str, name: str) -> Path:
    """Where a damaged artifact is kept when it is made again."""
    return runs / kind / f"{name}.damaged"


def claim_file(runs: Path, kind: str, name: str) -> Path:
    """Locked while an artifact is being made."""
    return runs / ".claims" / f"{kind}-{name}"


def stage_log(runs: Path) -> Path:
    """One JSON object a line: what happened to which stage, when."""
    return runs / "stages.jsonl"


def report_dir(runs: Path, experiment: str) -> Path:
    return runs / "reports" / experiment


def plan_file(report: Path) -> Path:
    return report / "plan.json"


def best_model(report: Path, prune_rate: float) -> Path:
    """The compressed file of the best point of a prune rate."""
    return report / "models" / f"S{prune_rate:g}.safetensors"


def best_models(report: Path) -> list[Path]:
    """Those that are there."""
    return list((report / "models").glob("S*.safetensors"))


def point_file(report: Path, point: str) -> Path:
    return report / "points" / f"{point}.json"
