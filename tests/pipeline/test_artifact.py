import json

import numpy as np
import pytest

from xorjax import paths
from xorjax.files import write_text
from xorjax.pipeline.artifact import ArtifactError, find, make, save_arrays
from xorjax.pipeline.plan import Stage

STAGE = Stage("dense", "lenet5-0123456789")


def build(work):
    save_arrays(work / paths.ARRAYS, {"params/fc1/kernel": np.arange(6.0).reshape(2, 3)})
    return {"test_accuracy": 0.5}


def events(runs):
    return [json.loads(line)["event"] for line in paths.stage_log(runs).read_text().splitlines()]


def test_made_once_then_found(tmp_path):
    made = make(tmp_path, STAGE, {}, build)
    found = make(tmp_path, STAGE, {}, lambda work: pytest.fail("built twice"))
    assert found.summary == made.summary == {"test_accuracy": 0.5}
    np.testing.assert_array_equal(found.arrays()["params/fc1/kernel"], np.arange(6.0).reshape(2, 3))
    assert events(tmp_path) == ["made", "finished", "found"]


def test_an_interrupted_build_is_not_whole_and_hands_over_its_directory(tmp_path):
    def interrupted(work):
        (work / "half").write_text("done")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, STAGE, {}, interrupted)
    assert find(tmp_path, STAGE) is None

    def resumed(work):
        assert (work / "half").read_text() == "done"
        return build(work)

    assert make(tmp_path, STAGE, {}, resumed).summary == {"test_accuracy": 0.5}
    assert events(tmp_path) == ["made", "resumed", "finished"]


def test_killed_before_the_renaming_it_is_made_whole_by_the_next(tmp_path):
    """By then there is a record, of the build that was killed."""

    def killed(work):
        (work / paths.ARTIFACT).write_text("{}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, STAGE, {}, killed)
    made = make(tmp_path, STAGE, {}, build)
    assert set(made.files) == {paths.ARRAYS}
    made.check()


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    file = make(tmp_path, STAGE, {}, build).directory / paths.ARRAYS
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ArtifactError, match=r"arrays\.safetensors.*damaged"):
        find(tmp_path, STAGE).arrays()


def test_an_unreadable_record_is_refused_by_name(tmp_path):
    record = make(tmp_path, STAGE, {}, build).directory / paths.ARTIFACT
    record.write_text(record.read_text()[:20])
    with pytest.raises(ArtifactError, match=r"artifact\.json.*damaged"):
        find(tmp_path, STAGE)


def test_checkpoints_do_not_outlive_the_training(tmp_path):
    def with_checkpoints(work):
        (work / paths.CHECKPOINTS).mkdir()
        (work / paths.CHECKPOINTS / "1").write_text("state")
        return build(work)

    assert not (make(tmp_path, STAGE, {}, with_checkpoints).directory / paths.CHECKPOINTS).exists()


def test_write_text_leaves_no_half_written_file(tmp_path):
    file = tmp_path / "deep" / "plan.json"
    write_text(file, "first")
    write_text(file, "second")
    assert file.read_text() == "second"
    assert [path.name for path in file.parent.iterdir()] == ["plan.json"]
