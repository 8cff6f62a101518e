"""The bytes of a file."""

from pathlib import Path
from tempfile import TemporaryDirectory

from xorjax.container import CompressedModel, save


def serialize(model: CompressedModel) -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "model.xorjax"
        save(path, model)
        return path.read_bytes()
