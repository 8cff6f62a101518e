"""docs/format.md is enough: a decoder written from it alone reads what xorjax reads."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import stranger
from container_models import planned_model, plans
from hypothesis import given, settings
from make_version1 import PATH

from xorjax.container import load
from xorjax.container.planes import decode_plane
from xorjax.container.write import serialize


def check(data, model):
    read = stranger.read(data)
    assert read["layers"].keys() == model.layers.keys()
    assert read["metadata"] == model.metadata
    for name, layer in model.layers.items():
        planes = np.stack([decode_plane(plane) for plane in layer.planes])
        assert np.array_equal(np.ravel(read["layers"][name]["planes"]), planes.ravel())
        assert np.array_equal(read["layers"][name]["mask"], layer.mask.ravel())
        signs = 2 * planes.astype(np.float64) - 1
        weights = layer.mask * (layer.scales * signs).sum(axis=0)
        assert np.allclose(read["layers"][name]["weights"], weights.ravel(), rtol=1e-12, atol=0)
    assert read["params"].keys() == model.params.keys()
    for name, array in model.params.items():
        assert read["params"][name] == (list(array.shape), tuple(array.ravel().tolist()))


def test_a_stranger_reads_the_file_of_version_1():
    check(PATH.read_bytes(), load(PATH))


@settings(max_examples=30)
@given(plan=plans)
def test_a_stranger_reads_any_file(plan):
    model = planned_model(plan)
    check(serialize(model), model)


def test_the_stranger_uses_the_standard_library_alone():
    tree = ast.parse(Path(stranger.__file__).read_text())
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert set(imports) <= sys.stdlib_module_names


def test_the_stranger_notices_damage():
    data = bytearray(PATH.read_bytes())
    data[-1] ^= 1
    with pytest.raises(AssertionError):
        stranger.read(bytes(data))
