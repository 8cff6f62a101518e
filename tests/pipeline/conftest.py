"""One finished sweep for all tests that only look."""

from pathlib import Path

import pytest
from tiny_sweep import points, run_sweep


@pytest.fixture(scope="session")
def swept(tmp_path_factory) -> Path:
    """The runs directory of the finished sweep; not to be changed."""
    tmp = tmp_path_factory.mktemp("sweep")
    run_sweep(points(tmp))
    return tmp / "runs"
