"""The project's own files agree with each other."""

import ast
import re
import tomllib
from pathlib import Path

import xorjax

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_changelog_ends_in_the_package_version():
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert versions[0] == PYPROJECT["project"]["version"] == xorjax.__version__


def test_ci_runs_the_test_command_of_the_readme():
    command = next(
        line.strip()
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.strip().startswith("pip install uv && uv run pytest")
    )
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert all(part.split("#")[0].strip() in ci for part in command.split("&&"))


def test_every_dependency_is_pinned():
    pins = {
        re.match(r"[\w.-]+", pin)[0].lower() for pin in PYPROJECT["tool"]["uv"]["constraint-dependencies"]
    }
    wanted = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["dev"]
    assert {re.match(r"[\w.-]+", name)[0].lower() for name in wanted} <= pins


def test_every_test_asserts():
    """By itself or through a function of the tests that does."""
    functions = [
        (file.name, node)
        for file in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    asserting = {"raises", "fail", "assert_array_equal", "assert_allclose", "assert_frame_equal"}
    while new := {node.name for _, node in functions if _asserts(node, asserting)} - asserting:
        asserting |= new
    silent = [
        f"{file}::{node.name}"
        for file, node in functions
        if node.name.startswith("test_") and not _asserts(node, asserting)
    ]
    assert len(functions) > 100
    assert not silent


def _asserts(function: ast.FunctionDef, asserting: set[str]) -> bool:
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and (_names(node) - {function.name}) & asserting)
        for node in ast.walk(function)
    )


def _names(call: ast.Call) -> set[str]:
    """What is called, and what is handed over to be."""
    called = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return {called, *(argument.id for argument in call.args if isinstance(argument, ast.Name))}
