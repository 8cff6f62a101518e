import json
import struct

import pytest
from stage_rows import ROW, epochs, interrupted_stage
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from xorjax.trackers import open_trackers


def read_events(directory):
    """The events of a directory's one file, as TensorBoard reads TFRecords: checksums looked at."""
    (file,) = directory.glob("events.out.tfevents.*")
    data, events = file.read_bytes(), []
    while data:
        length, check = struct.unpack("<QI", data[:12])
        body, (body_check,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert (check, body_check) == (masked(data[:8]), masked(body))
        events.append(Event.FromString(body))
        data = data[16 + length :]
    return events


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def scalars(directory):
    """(tag, step) -> value; each once."""
    found = [
        ((value.tag, event.step), value.simple_value)
        for event in read_events(directory)
        for value in event.summary.value
        if value.WhichOneof("value") == "simple_value"
    ]
    assert len({key for key, _ in found}) == len(found)
    return dict(found)


@pytest.fixture
def tracker(tmp_path):
    return open_trackers(["tensorboard"], tmp_path)[0]


def test_epochs_are_read_back(tracker, tmp_path):
    with tracker.stage("dense", "a-1", {"prune": {"rate": 0.9}}) as log:
        for row in epochs(1, 3):
            log(row)
    found = scalars(tmp_path / "tensorboard" / "dense" / "a-1")
    assert set(found) == {(key, i) for key in ("train_loss", "validation_accuracy") for i in (1, 2, 3)}
    assert found["validation_accuracy", 3] == 0.875
    (text,) = [
        value.tensor.string_val[0]
        for event in read_events(tmp_path / "tensorboard" / "dense" / "a-1")
        for value in event.summary.value
        if value.tag == "settings/text_summary"
    ]
    assert json.loads(text.decode().strip("`\n")) == {"prune": {"rate": 0.9}}


def test_an_epoch_can_be_seen_while_the_stage_goes_on(tracker, tmp_path):
    with tracker.stage("dense", "a-1", {}) as log:
        for row in epochs(1, 2):
            log(row)
            assert ("train_loss", row["epoch"]) in scalars(tmp_path / "tensorboard" / "dense" / "a-1")


@pytest.mark.parametrize("history", [epochs(1, 2), [], epochs(1, 3)])
def test_a_resumed_stage_has_each_epoch_once(tracker, tmp_path, history):
    with pytest.raises(KeyboardInterrupt):
        interrupted_stage(tracker, "a-1", epochs(1, 3))
    directory = tmp_path / "tensorboard" / "dense" / "a-1"
    # File names tell the second.
    (old,) = directory.glob("events.out.tfevents.*")
    old.rename(directory / "events.out.tfevents.1700000000.host")
    with tracker.stage("dense", "a-1", {}) as log:
        for row in [*history, *epochs(1, 5)]:
            log(row)
    assert {step for _, step in scalars(directory)} == {1, 2, 3, 4, 5}
    # Tells a TensorBoard that is running to drop what it has read.
    assert read_events(directory)[1].session_log.status == SessionLog.START


def test_a_point_has_settings_and_results(tracker, tmp_path):
    tracker.point("p-1", "S 0.95", ROW | {"test_metric": 0.5})
    tracker.point("p-1", "S 0.95", ROW)
    directory = tmp_path / "tensorboard" / "points" / "p-1" / "fc1"
    assert scalars(directory)["test_accuracy", 0] == pytest.approx(0.99)
    assert ("dense_accuracy", 0) not in scalars(directory)
    data = [
        HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for event in read_events(directory)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]
    settings = {key: value for item in data for key, value in item.session_start_info.hparams.items()}
    assert settings["n_in"].number_value == 20
    assert settings["mask_codec"].string_value == "ans_rc"
    assert {info.name.tag for item in data for info in item.experiment.metric_infos} >= {"bits_per_weight"}


def test_a_directory_that_cannot_be_written_is_said_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("xorjax.trackers._warned", set())
    (tmp_path / "tensorboard").write_text("a file")
    for name in ("a-1", "a-2"):
        (tracker,) = open_trackers(["tensorboard"], tmp_path)
        with tracker.stage("dense", name, {}) as log:
            log(epochs(1, 1)[0])
    tracker.point("p-1", "S 0.95", ROW)
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.startswith("warning: the tracker tensorboard failed, the run continues: ")


def test_a_full_disk_does_not_stop_the_stage(tracker, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("xorjax.trackers._warned", set())
    done = []
    with tracker.stage("dense", "a-1", {}) as log:

        def full(self, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("tensorboardX.record_writer.RecordWriter.write", full)
        # More than the queue of the library's own writer holds.
        for row in epochs(1, 30):
            log(row)
            done.append(row)
    assert len(done) == 30
    assert capsys.readouterr().err.count("No space left on device") == 1
