import json
import os

import pytest

from xorjax.dashboard.files import Listing, Tail, parse


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (['+{"a": 1}\n{"a": 2}\n', "+", '+{"a": 3}\n'], [[1, 2], [], [3]]),
        (['+{"a": 1}\n{"a": ', "+2}\n"], [[1], [2]]),  # a line without its end is left for later
        (['+{"a": 1, "name": "x{"a": 2}\n'], [[2]]),  # torn, and appended to
        (['+{"a": 1}\n', '/{"b": 1}\n{"a": 2}\n', "-", "-"], [[1], "void", [None, 2], "void", [], []]),
        (
            ['+{"a": 1}\n', '={"b": 1}\n{"a": 2}\n'],
            [[1], "void", [None, 2]],
        ),  # in place: the same inode, longer
        (['+{"a": 1}\n{"a": 2}\n', '={"a": 1}\n'], [[1, 2], "void", [1]]),  # shortened
    ],
)
def test_each_line_is_read_once_whatever_becomes_of_the_file(tmp_path, steps, expected):
    """Steps: + appends, / replaces the file, = writes it in place, - deletes it."""
    path, told = tmp_path / "log", []
    tail = Tail(path)
    assert tail.read() == (False, [])
    for how, *rest in steps:
        content = "".join(rest)
        if how == "+":
            with path.open("a") as file:
                file.write(content)
        elif how == "/":
            (tmp_path / "new").write_text(content)
            (tmp_path / "new").replace(path)
        elif how == "=":
            path.write_text(content)
        else:
            path.unlink(missing_ok=True)
        void, new = tail.read()
        told += (["void"] if void else []) + [[value.get("a") for value in new]]
    assert told == expected


def test_lines_that_are_no_objects_are_passed_over():
    for line in (b"", b"1", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b"null"):
        assert parse(line) is None
    assert parse(b'{"loss": NaN, "rate": Infinity}') == {"loss": None, "rate": None}
    assert parse(json.dumps({"text": "\ud800"}).encode()) == {"text": "\ud800"}


def test_a_listing_follows_its_directory(tmp_path):
    runs = tmp_path / "runs"
    listing = Listing(runs)
    steps = [
        (lambda: None, set()),
        (runs.mkdir, set()),
        ((runs / "a").touch, {"a"}),
        ((runs / "b").touch, {"a", "b"}),
        (lambda: (runs / "a").rename(runs / "c"), {"b", "c"}),
        ((runs / "b").unlink, {"c"}),
        (lambda: ((runs / "c").unlink(), runs.rmdir()), set()),
    ]
    for change, names in steps:
        before, version = listing.names, listing.version
        change()
        listing.look()
        assert listing.names == names
        assert listing.version == version + (names != before)


def test_a_change_in_the_same_tick_of_the_clock_is_seen(tmp_path):
    listing = Listing(tmp_path)
    (tmp_path / "a").touch()
    listing.look()
    before = tmp_path.stat()
    (tmp_path / "b").touch()
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    listing.look()
    assert listing.names == {"a", "b"}
