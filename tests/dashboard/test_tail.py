import json
import os

from xorjax.dashboard.listing import Listing
from xorjax.dashboard.tail import Tail, parse


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_each_line_is_read_once(tmp_path):
    path = tmp_path / "log"
    tail = Tail(path)
    assert tail.read() == (False, [])
    append(path, '{"a": 1}\n{"a": 2}\n')
    assert tail.read() == (False, [{"a": 1}, {"a": 2}])
    assert tail.read() == (False, [])
    append(path, '{"a": 3}\n')
    assert tail.read() == (False, [{"a": 3}])


def test_a_line_without_its_end_is_left_for_later(tmp_path):
    path = tmp_path / "log"
    tail = Tail(path)
    append(path, '{"a": 1}\n{"a": ')
    assert tail.read() == (False, [{"a": 1}])
    append(path, "2}\n")
    assert tail.read() == (False, [{"a": 2}])


def test_what_was_appended_to_a_torn_line_counts(tmp_path):
    path = tmp_path / "log"
    append(path, '{"a": 1, "name": "x{"a": 2}\n')
    assert Tail(path).read() == (False, [{"a": 2}])


def test_a_replaced_a_shortened_and_a_deleted_file_are_told(tmp_path):
    path = tmp_path / "log"
    tail = Tail(path)
    append(path, '{"a": 1}\n')
    tail.read()
    (tmp_path / "new").write_text('{"b": 1}\n{"b": 2}\n')
    (tmp_path / "new").replace(path)
    assert tail.read() == (True, [{"b": 1}, {"b": 2}])
    path.write_text('{"b": 1}\n')
    assert tail.read() == (True, [{"b": 1}])
    path.unlink()
    assert tail.read() == (True, [])
    assert tail.read() == (False, [])


def test_a_new_file_with_the_number_of_the_old_is_another(tmp_path):
    path = tmp_path / "log"
    tail = Tail(path)
    path.write_text('{"a": 1}\n')
    tail.read()
    # Written in place: the same inode, and longer than before.
    path.write_text('{"b": 1}\n{"b": 2}\n')
    assert tail.read() == (True, [{"b": 1}, {"b": 2}])


def test_lines_that_are_no_objects_are_passed_over():
    for line in (b"", b"1", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b"null"):
        assert parse(line) is None
    assert parse(b'{"loss": NaN, "rate": Infinity}') == {"loss": None, "rate": None}
    assert parse(json.dumps({"text": "\ud800"}).encode()) == {"text": "\ud800"}


def test_a_listing_follows_its_directory(tmp_path):
    listing = Listing(tmp_path / "runs")
    listing.look()
    assert (listing.names, listing.version) == (frozenset(), 0)
    (tmp_path / "runs").mkdir()
    for name in ("a", "b"):
        (tmp_path / "runs" / name).touch()
        listing.look()
        assert name in listing.names
    (tmp_path / "runs" / "a").rename(tmp_path / "runs" / "c")
    listing.look()
    assert listing.names == {"b", "c"}
    for name in "bc":
        (tmp_path / "runs" / name).unlink()
    (tmp_path / "runs").rmdir()
    version = listing.version
    listing.look()
    assert listing.names == frozenset()
    assert listing.version == version + 1


def test_a_change_in_the_same_tick_of_the_clock_is_seen(tmp_path):
    listing = Listing(tmp_path)
    (tmp_path / "a").touch()
    listing.look()
    before = tmp_path.stat()
    (tmp_path / "b").touch()
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    listing.look()
    assert listing.names == {"a", "b"}
