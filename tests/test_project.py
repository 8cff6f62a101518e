"""The project's own files agree with each other."""

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


def test_every_test_file_asserts():
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    helpers = {
        name
        for file in (ROOT / "tests").rglob("*.py")
        for name, body in re.findall(r"^def (\w+)\(.*?\n((?:    .*\n|\n)+)", file.read_text(), re.M)
        if not name.startswith("test_") and "assert" in body
    }
    asserting = re.compile(rf"assert|raises|\b({'|'.join(helpers)})\(")
    silent = [
        f"{file.name}::{name}"
        for file in files
        for name, body in re.findall(r"^def (test_\w+)\(.*?\n((?:    .*\n|\n)+)", file.read_text(), re.M)
        if not asserting.search(body)
    ]
    assert files
    assert not silent
