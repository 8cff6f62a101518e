import json

import numpy as np
import pytest

from xorjax import paths
from xorjax.artifacts import artifact
from xorjax.artifacts.artifact import ArtifactError, find, make, save_arrays
from xorjax.artifacts.graph import Node, Stage
from xorjax.files import sha256, write_text

STAGE = Stage("dense", "lenet5-0123456789")


def node(build, **more):
    return Node(STAGE, (), build, **more)


def build(work, needs):
    save_arrays(work / paths.ARRAYS, {"params/fc1/kernel": np.arange(6.0).reshape(2, 3)})
    return {"test_accuracy": 0.5}


def events(runs):
    return [json.loads(line)["event"] for line in paths.stage_log(runs).read_text().splitlines()]


def test_made_once_then_found(tmp_path):
    made = make(tmp_path, node(build), {})
    found = make(tmp_path, node(lambda work, needs: pytest.fail("built twice")), {})
    assert found.summary == made.summary == {"test_accuracy": 0.5}
    np.testing.assert_array_equal(found.arrays()["params/fc1/kernel"], np.arange(6.0).reshape(2, 3))
    assert events(tmp_path) == ["made", "finished", "found"]


def test_an_interrupted_build_is_not_whole_and_hands_over_its_directory(tmp_path):
    def interrupted(work, needs):
        (work / "half").write_text("done")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, node(interrupted), {})
    assert find(tmp_path, STAGE) is None

    def resumed(work, needs):
        assert (work / "half").read_text() == "done"
        return build(work, needs)

    assert make(tmp_path, node(resumed), {}).summary == {"test_accuracy": 0.5}
    assert events(tmp_path) == ["made", "resumed", "finished"]


def test_killed_before_the_renaming_it_is_made_whole_by_the_next(tmp_path):
    """By then there is a record, of the build that was killed."""

    def killed(work, needs):
        (work / paths.ARTIFACT).write_text("{}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, node(killed), {})
    made = make(tmp_path, node(build), {})
    assert set(made.files) == {paths.ARRAYS}
    made.check()


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    file = make(tmp_path, node(build), {}).directory / paths.ARRAYS
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ArtifactError, match=r"arrays\.safetensors.*damaged"):
        find(tmp_path, STAGE).arrays()


@pytest.fixture
def hashes(monkeypatch):
    """The names of the files that are hashed, in order."""
    hashed = []

    def counted(path):
        hashed.append(path.name)
        return sha256(path)

    monkeypatch.setattr(artifact, "sha256", counted)
    return hashed


def test_a_file_is_hashed_once_a_use(tmp_path, hashes):
    """By the build for the record, by the next stage when it first reads it, and not when it reads on."""
    made = make(tmp_path, node(build), {})
    assert hashes == [paths.ARRAYS]
    for _ in range(3):
        assert set(made.arrays()) == {"params/fc1/kernel"}
    assert hashes == [paths.ARRAYS] * 2
    find(tmp_path, STAGE).arrays()
    assert hashes == [paths.ARRAYS] * 3


def test_what_was_checked_is_what_is_used(tmp_path):
    """Whoever reads on gets what it read, unchanged; whoever begins to read sees the damage."""
    made = make(tmp_path, node(build), {})
    first = made.arrays()
    with pytest.raises(ValueError, match="read-only"):
        first["params/fc1/kernel"][0, 0] = 7
    first.clear()
    (made.directory / paths.ARRAYS).write_bytes(b"damaged")
    np.testing.assert_array_equal(made.arrays()["params/fc1/kernel"], np.arange(6.0).reshape(2, 3))
    for fails in (made.check, find(tmp_path, STAGE).arrays):
        with pytest.raises(ArtifactError, match="damaged"):
            fails()


def test_a_file_that_lies_elsewhere_is_the_artifacts(tmp_path):
    """Wherever both are moved to, together."""
    runs, outside = tmp_path / "out" / "runs", tmp_path / "out" / "result"

    def elsewhere(work, needs, text):
        outside.write_text(text)
        return build(work, needs)

    make(runs, node(elsewhere, args=("made",), outside=(outside,)), {}).check()
    (tmp_path / "out").rename(tmp_path / "moved")
    found, moved = find(tmp_path / "moved" / "runs", STAGE), tmp_path / "moved" / "result"
    assert len(found.files) == 2
    found.check()
    moved.write_text("Made")
    with pytest.raises(ArtifactError, match="result: the file is missing or damaged"):
        found.check()
    moved.unlink()
    with pytest.raises(ArtifactError, match="result: the file is missing or damaged"):
        found.check()


def test_an_unreadable_record_is_refused_by_name(tmp_path):
    record = make(tmp_path, node(build), {}).directory / paths.ARTIFACT
    record.write_text(record.read_text()[:20])
    with pytest.raises(ArtifactError, match=r"artifact\.json.*damaged"):
        find(tmp_path, STAGE)


def test_checkpoints_do_not_outlive_the_training(tmp_path):
    def with_checkpoints(work, needs):
        (work / paths.CHECKPOINTS).mkdir()
        (work / paths.CHECKPOINTS / "1").write_text("state")
        return build(work, needs)

    assert not (make(tmp_path, node(with_checkpoints), {}).directory / paths.CHECKPOINTS).exists()


def test_write_text_leaves_no_half_written_file(tmp_path):
    file = tmp_path / "deep" / "plan.json"
    write_text(file, "first")
    write_text(file, "second")
    assert file.read_text() == "second"
    assert [path.name for path in file.parent.iterdir()] == ["plan.json"]
