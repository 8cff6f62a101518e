"""A room's entries are found in its modules, and an unknown id names the nearest."""

import subprocess
import sys

import pytest

from xorjax.codec import CODES
from xorjax.registry import Registry


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """Makes packages that can be imported, each a registry and its modules."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(name, **modules):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text(
            f"from xorjax.registry import Registry\nENTRIES = Registry({name!r}, 'thing')\n"
        )
        for module, text in modules.items():
            (package / f"{module}.py").write_text(f"from {name} import ENTRIES\n{text}\n")
        made.append(name)
        return __import__(name).ENTRIES

    yield make
    for name in list(sys.modules):
        if name.split(".")[0] in made:
            del sys.modules[name]


ENTRY = "@ENTRIES.register\nclass Own:\n    id = {!r}\n"


def test_a_module_is_all_that_an_entry_takes(rooms):
    entries = rooms("some_room", two=ENTRY.format("b"), one=ENTRY.format("a"), helper="VALUE = 1")
    assert list(entries) == ["a", "b"]
    assert entries["b"].id == "b"
    assert len(entries) == 2
    assert "c" not in entries


def test_modules_are_imported_only_when_an_entry_is_asked_for(rooms):
    rooms("lazy_room", broken="raise RuntimeError('imported')")
    assert "lazy_room.broken" not in sys.modules


def test_an_unknown_id_names_all_and_the_nearest(rooms):
    entries = rooms("named_room", one=ENTRY.format("signs"), two=ENTRY.format("xor"))
    with pytest.raises(
        ValueError, match="there is no thing 'sings'; it must be one of signs, xor; the nearest is signs"
    ):
        entries.find("sings")
    assert entries.find("xor").id == "xor"


def test_two_entries_may_not_share_an_id(rooms):
    entries = rooms("double_room", one=ENTRY.format("a"), two=ENTRY.format("a"))
    with pytest.raises(TypeError, match=r"two things are called 'a': in .*/one\.py and .*/two\.py"):
        list(entries)


def test_a_module_that_fails_is_tried_again(rooms, tmp_path):
    entries = rooms("flaky_room", one="raise OSError('for now')")
    with pytest.raises(OSError, match="for now"):
        list(entries)
    (tmp_path / "flaky_room" / "one.py").write_text(f"from flaky_room import ENTRIES\n{ENTRY.format('a')}")
    import importlib

    importlib.invalidate_caches()
    assert list(entries) == ["a"]


def test_registries_are_mappings():
    assert dict(Registry("xorjax.gf2", "nothing")) == {}


def test_the_order_is_that_of_the_modules_names_whoever_was_imported_first():
    code = "import xorjax.codec.{first}; from xorjax.codec import CODES; print(*CODES)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code.format(first=first)], capture_output=True, text=True, check=True
        ).stdout
        for first in ("trained", "dense", "xor")
    }
    assert len(found) == 1
    assert sorted(found.pop().split(), key=lambda id: CODES[id].__module__) == list(CODES)
