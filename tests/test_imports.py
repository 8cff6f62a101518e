"""Imports go one way, and each heavy library is known to one room."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "xorjax"
PLUGINS = ROOT / "hydra_plugins"

# A room may import itself, the modules below all rooms, and the rooms named here.
BELOW = {"errors", "files", "merge", "metric", "program", "registry", "settings", "tiles"}
ROOMS = {
    **{module: set() for module in sorted(BELOW)},
    "locks": set(),
    "estimate": set(),
    "streams": set(),
    "params": set(),
    "paths": set(),
    "engines": set(),
    "artifacts": {"engines", "estimate", "locks", "paths"},
    "gf2": set(),
    "masks": {"gf2"},
    "codec": {"gf2", "masks"},
    "studies": {"gf2", "codec", "masks"},
    "decoding": {"gf2", "codec", "masks"},
    "weights": {"codec", "masks", "decoding"},
    "container": {"codec", "masks", "streams", "weights"},
    "layers": {"weights"},
    "data": {"locks"},
    "tasks": {"data"},
    "models": {"params", "container", "weights"},
    "config": {"codec", "data", "masks", "models", "tasks", "trackers"},
    "prune": {"config", "params", "masks"},
    "quantize": {"config", "params", "codec", "gf2", "masks"},
    "train": {"config", "params", "models", "tasks", "weights"},
    "compression": {
        *("artifacts", "codec", "container", "engines", "masks", "paths", "prune", "quantize", "streams"),
    },
    "results": {"codec", "masks", "paths", "studies", "streams"},
    "trackers": {"locks", "paths"},
    "pipeline": {
        *("config", "params", "paths", "data", "tasks", "models", "prune", "quantize", "train", "results"),
        *("codec", "masks", "container", "decoding", "artifacts", "engines", "trackers"),
        *("estimate", "streams"),
    },
    "search": {"artifacts", "config", "paths", "pipeline", "streams"},
    "dashboard": {"paths", "estimate", "results", "streams"},
    "commands": {
        *("estimate", "streams", "engines", "masks", "codec", "container", "compression", "pipeline"),
        *("dashboard", "data", "__init__"),
    },
    "cli": {"commands"},
    # Where Hydra looks for launchers.
    "hydra_plugins": {"config", "pipeline"},
    # The public surface.
    "__init__": {"gf2", "codec", "compression", "decoding", "container", "layers", "weights"},
}
# Who may import a library.
LIBRARIES = {
    "flax": {"layers", "models", "train", "pipeline"},
    "cloudpickle": {"engines"},
    "hydra": {"config", "hydra_plugins"},
    "omegaconf": {"config", "hydra_plugins"},
    "optax": {"train"},
    "orbax": {"train/checkpoint"},
    "plotly": {"results"},
    "polars": {"results"},
    "rich": {"results", "pipeline", "commands", "search"},
    "tensorflow_datasets": {"data"},
    "tensorflow": set(),
    "constriction": {"masks", "codec"},
    "galois": {"gf2"},
    "numba": {"gf2"},
    "loky": {"engines"},
    "ray": {"engines"},
    "filelock": {"locks"},
    "tensorboardX": {"trackers"},
    "mlflow": {"trackers"},
    "optuna": {"search"},
    "sqlalchemy": {"search", "trackers"},
}


def modules():
    return sorted([*PACKAGE.rglob("*.py"), *PLUGINS.rglob("*.py")])


def imported(path):
    """The dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "xorjax")


def place(path):
    """The path within the package, or with its own room where it is none of the package."""
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT)


def room(path):
    return place(path).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: place(p).as_posix())
def test_imports_go_one_way(path):
    own = room(path)
    assert own in ROOMS, f"{own} has no place in the table above"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "xorjax" and len(parts) > 1 and parts[1] in ROOMS:
            assert parts[1] in {own, *BELOW, *ROOMS[own]}, f"{path} imports {name}"


def test_the_table_has_no_circle():
    assert list(TopologicalSorter(ROOMS).static_order())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_known_to_its_rooms_only(library):
    knowing = {
        place(path).with_suffix("").as_posix()
        for path in modules()
        if any(name.split(".")[0] == library for name in imported(path))
    }
    strangers = {name for name in knowing if not LIBRARIES[library] & {name, name.split("/")[0]}}
    assert not strangers


def test_only_config_is_known_by_its_plain_half_outside():
    """The parts of `config` that know Hydra stay inside it: others use the schema, the names, the errors."""
    for path in modules():
        if room(path) in ("config", "hydra_plugins"):
            continue
        for name in imported(path):
            if name.startswith("xorjax.config"):
                assert name in {
                    f"xorjax.config.{module}" for module in ("schema", "identity", "reads", "axes")
                }, f"{path} imports {name}"


def test_importing_the_package_is_light():
    code = (
        "import sys, xorjax;"
        "heavy = {'hydra', 'plotly', 'polars', 'tensorflow_datasets', 'tensorflow', 'flax', 'orbax'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
