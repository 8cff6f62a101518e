"""`xorjax compress --jobs`, and inspect, verify and decompress of what it makes."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file
from stopping import held_when, kill_node

from xorjax import cli, engines
from xorjax.container import decode_weights, load
from xorjax.container.tensors import Raw, from_bytes, to_bytes

SETTINGS = ("--layers", "*.weight", "--prune-rate", "0.8", "--n-in", "12", "--scale", "row")
RNG = np.random.default_rng(3)
SHARDS = {
    f"m-{i}-of-3": {
        f"l{i}.weight": RNG.standard_normal((40, 60), dtype=np.float32),
        f"l{i}.bias": np.full(40, i, np.float16),
    }
    for i in (1, 2, 3)
}


def write(directory, shards):
    directory.mkdir()
    for shard, arrays in shards.items():
        (directory / f"{shard}.safetensors").write_bytes(to_bytes(arrays, {"format": "pt"}))
    places = {name: f"{shard}.safetensors" for shard, arrays in shards.items() for name in arrays}
    (directory / "m.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in", SHARDS)
    return tmp_path


@pytest.fixture
def in_process(monkeypatch):
    """Shards are made here: a worker takes seconds to start, and the commands cannot tell."""
    monkeypatch.setattr(engines, "Processes", lambda n_jobs: engines.Serial())


def run(capsys, *argv, code=0):
    assert cli.main(argv) == code
    return capsys.readouterr()


def test_the_whole_way(here, capsys):
    printed = run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "2", "--json")
    assert printed.err == ""
    result = json.loads(printed.out)
    assert [shard["file"] for shard in result["shards"]] == [f"{shard}.xorjax" for shard in SHARDS]
    assert result["totals"]["n_weights"] == 3 * 40 * 60
    assert result["totals"]["ratio"] > 20
    assert [layer["name"] for layer in result["layers"]] == ["l1.weight", "l2.weight", "l3.weight"]
    assert result["file_bytes"] == sum(path.stat().st_size for path in (here / "out").glob("*.xorjax"))

    again = run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "2")
    assert {line.split("; ")[0] for line in again.err.splitlines()} == {
        f"{shard}.xorjax: made before" for shard in SHARDS
    }
    assert "3 shards, 3 of them made before" in again.out

    seen = json.loads(run(capsys, "inspect", "out", "--json").out)
    assert seen["totals"] == {key: result["totals"][key] for key in seen["totals"]}
    keys = ("file_bytes", "n_parameters", "file_bits_per_parameter", "parts")
    assert {key: seen[key] for key in keys} == {key: result[key] for key in keys}
    assert seen["n_parameters"] == sum(array.size for arrays in SHARDS.values() for array in arrays.values())
    assert sum(part["bytes"] for part in seen["parts"].values()) == seen["file_bytes"]
    assert [param["name"] for param in seen["params"]] == ["l1.bias", "l2.bias", "l3.bias"]
    assert "3 other tensors" in run(capsys, "inspect", "out/m.xorjax.index.json").out

    verified = json.loads(run(capsys, "verify", "out", "--json").out)
    assert len(verified["planes"]) == len(verified["shards"]) == 3
    assert "whole; 3 shards, 3 planes decoded" in run(capsys, "verify", "out").out
    assert "1 plane decoded" in run(capsys, "verify", "out/m-1-of-3.xorjax").out

    run(capsys, "decompress", "out", "back")
    index = json.loads((here / "back" / "m.safetensors.index.json").read_text())
    total = 0
    for shard, arrays in SHARDS.items():
        back = load_file(here / "back" / f"{shard}.safetensors")
        assert {index["weight_map"][name] for name in back} == {f"{shard}.safetensors"}
        layer = load(here / "out" / f"{shard}.xorjax").layers
        for name, array in arrays.items():
            expected = decode_weights(layer[name]) if name in layer else array
            assert back[name].dtype == expected.dtype
            assert np.array_equal(back[name], expected)
            total += expected.nbytes
    assert index["metadata"]["total_size"] == total
    assert "not empty" in run(capsys, "decompress", "out", "back", code=1).err
    last = sorted((here / "out").glob("*.xorjax"))[-1]
    last.unlink()
    assert last.name in run(capsys, "decompress", "out", "again", code=1).err
    assert not (here / "again").exists()


def test_what_an_engine_prints_is_no_part_of_the_json(here, capsys, monkeypatch):
    class Talking(engines.Serial):
        def submit(self, function, *args):
            print("a task is run again")
            return super().submit(function, *args)

    monkeypatch.setattr(engines, "Ray", lambda address: Talking())
    printed = run(capsys, "compress", "in", "out", *SETTINGS, "--json", "--ray=local")
    assert len(json.loads(printed.out)["shards"]) == 3
    assert "a task is run again" in printed.err


def test_damage_is_named_by_shard_and_tensor_and_made_again(here, capsys, in_process):
    run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1", "--json")
    path = here / "out" / "m-2-of-3.xorjax"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 255]))
    error = run(capsys, "verify", "out", code=1).err
    assert "out/m-2-of-3.xorjax: tensor '" in error
    assert "is damaged" in error
    again = run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1")
    assert (
        "m-2-of-3.xorjax: it was damaged (its SHA-256 is not the one recorded) and has been rebuilt"
        in again.err
    )
    assert path.read_bytes() == data
    path.unlink()
    assert (
        "m-2-of-3.xorjax: it was gone" in run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1").err
    )


def test_tensors_of_any_dtype_are_kept(here, capsys, in_process):
    raw = {f"l{i}.raw": Raw("F4", (2, i), np.arange(i, dtype=np.uint8)) for i in (1, 2, 3)}
    shards = {shard: SHARDS[shard] | {f"l{shard[2]}.raw": raw[f"l{shard[2]}.raw"]} for shard in SHARDS}
    write(here / "more", shards)
    run(capsys, "compress", "more", "out", *SETTINGS, "--jobs", "1")
    run(capsys, "decompress", "out", "back")
    assert "l3.raw" in run(capsys, "inspect", "out", "--json").out
    for i in (1, 2, 3):
        back, _ = from_bytes((here / "back" / f"m-{i}-of-3.safetensors").read_bytes())
        assert back[f"l{i}.raw"].dtype == "F4"
        assert back[f"l{i}.raw"].data.tolist() == list(range(i))


def test_no_directory_is_its_own_output(here, capsys, in_process):
    run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1")
    before = {path.name: path.read_bytes() for path in (here / "out").iterdir() if path.is_file()}
    (here / "link").symlink_to("out")
    for source in ("out", "out/m.xorjax.index.json", "link"):
        assert "out: it is the input" in run(capsys, "decompress", source, "out", "--force", code=1).err
    assert "in: it is the input" in run(capsys, "compress", "in", "in", *SETTINGS, "--jobs", "1", code=1).err
    assert {path.name: path.read_bytes() for path in (here / "out").iterdir() if path.is_file()} == before


def test_a_link_as_out_is_followed_and_what_is_no_directory_refused(here, capsys, in_process):
    """As where OUT is a file, and before any work."""
    run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1")
    commands = (("compress", "in"), ("decompress", "out"))
    (here / "file").touch()
    for number, (name, source) in enumerate(commands):
        options = (*SETTINGS, "--jobs", "1") if name == "compress" else ()
        (here / f"link{number}").symlink_to(f"there{number}")
        run(capsys, name, source, f"link{number}", *options)
        assert (here / f"link{number}").is_symlink()
        assert len(list((here / f"there{number}").glob("m-*-of-3.*"))) == 3
        (here / f"lost{number}").symlink_to("nowhere/there")
        os.mkfifo(here / f"pipe{number}")
        for out, message in (
            (f"lost{number}", f"its directory does not exist: {here / 'nowhere'}"),
            (f"pipe{number}", "it is a pipe, expected a directory"),
            (os.devnull, "it is a device, expected a directory"),
            ("file", "it is a file, expected a directory"),
        ):
            for force in ((), ("--force",)):
                told = run(capsys, name, source, out, *options, *force, code=1).err
                assert told.startswith(f"xorjax: error: {out}: {message}")
                assert told.count("\n") == 1


def test_a_link_as_out_stays_where_nothing_was_decoded(here, capsys, in_process):
    run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1")
    damaged = here / "out" / "m-2-of-3.xorjax"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    (here / "link").symlink_to("there")
    assert "m-2-of-3.xorjax" in run(capsys, "decompress", "out", "link", code=1).err
    assert (here / "link").is_symlink()
    assert not (here / "there").exists()


def test_what_is_refused(here, capsys, in_process):
    def refused(message, *argv, settings=SETTINGS):
        assert message in run(capsys, "compress", "in", "out", *settings, *argv, code=1).err

    refused("matches none of 6", "--jobs", "2", settings=("--layers", "x*", "--prune-rate", "0.8"))
    refused("it has shards of its own", "--jobs", "2", "--shard-size", "1GB")
    assert not (here / "out").exists()
    run(capsys, "compress", "in", "out", *SETTINGS, "--jobs", "1", "--json")
    refused("begun with code.seed 0, not 5; --force starts anew", "--jobs", "1", "--seed", "5")
    refused("it is a directory, expected the name of a file")
    (here / "out" / "m.xorjax.index.json").unlink()
    assert "repeat its command to finish and write it" in run(capsys, "verify", "out", code=1).err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--jobs", "0"), "--jobs: invalid value: 0"),
        (("--jobs", "2", "--ray=local"), "one of --jobs and --ray"),
        (("--shard-size", "1GB"), "without --jobs or --ray OUT is one file"),
        (("--jobs", "2", "--shard-size", "big"), "--shard-size: invalid value: 'big'"),
    ],
)
def test_options_that_do_not_go_together(here, capsys, argv, message):
    with pytest.raises(SystemExit) as caught:
        cli.main(["compress", "in", "out", *SETTINGS, *argv])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_without_ray(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'xorjax[ray]'" in run(capsys, "compress", "in", "out", *SETTINGS, "--ray", code=1).err


LARGER = {
    f"m-{i}-of-4": {f"l{i}.{j}.weight": RNG.standard_normal((512, 1024), dtype=np.float32) for j in (1, 2)}
    for i in (1, 2, 3, 4)
}


def command(*options, out="out"):
    return [
        sys.executable,
        "-m",
        "xorjax.cli",
        "compress",
        "large",
        str(out),
        *SETTINGS,
        "--n-out",
        "96",
        *options,
    ]


def made(here, out="out"):
    return {path.name: path.read_bytes() for path in (here / out).iterdir() if path.is_file()}


@pytest.mark.slow
def test_killed_at_any_moment_and_repeated(here):
    """kill -9 of the command, at several moments: the same command gives the bytes of one that was let be."""
    write(here / "large", LARGER)
    subprocess.run(command("--jobs", "2", "--json"), check=True, capture_output=True)
    expected = made(here)
    (here / "out").rename(here / "expected")
    work = here / "out" / ".work"
    moments = [
        lambda: list(work.glob("shard/*.partial/progress")),
        lambda: list((here / "out").glob("*.tmp")) or list((here / "out").glob("*.xorjax")),
        lambda: len(list(work.glob("shard/m-*/artifact.json"))) >= 2,
    ]
    for moment in moments:
        with (
            subprocess.Popen(
                command("--jobs", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as process,
            held_when(moment, process.pid),
        ):
            process.kill()
    done = subprocess.run(command("--jobs", "2"), check=True, capture_output=True, text=True)
    assert "made before" in done.stderr
    assert made(here) == expected


@pytest.mark.slow
def test_interrupted(here):
    write(here / "large", LARGER)
    with subprocess.Popen(
        command("--jobs", "2"), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        with held_when(lambda: 1 <= len(list((here / "out").glob("*.xorjax"))) < 4, process.pid):
            os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 4 shards of out are finished; run the same command to resume" in error
    assert "Traceback" not in error
    subprocess.run(command("--jobs", "2", "--json"), check=True, capture_output=True)
    assert not list((here / "out").glob("*.tmp"))
    assert cli.main(["verify", "out"]) == 0


@pytest.mark.slow
def test_two_commands_share_the_shards(here):
    write(here / "large", LARGER)
    both = [
        subprocess.Popen(command("--jobs", "1", "--json"), stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    results = [json.loads(process.communicate(timeout=300)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    pairs = zip(*([shard["state"] for shard in result["shards"]] for result in results), strict=True)
    # Every shard is made by one and found by the other.
    assert all(sorted(pair) == ["found", "made"] for pair in pairs)
    assert cli.main(["verify", "out"]) == 0


@pytest.mark.slow
def test_on_ray(here, capsys, only_ray):
    run(capsys, "compress", "in", "expected", *SETTINGS, "--jobs", "1", "--json")
    argv = [sys.executable, "-m", "xorjax.cli", "compress", "in", "out", *SETTINGS, "--json", "--ray=local"]
    subprocess.run(argv, check=True, capture_output=True)
    expected = {path.name: path.read_bytes() for path in (here / "expected").iterdir() if path.is_file()}
    assert made(here) == expected


@pytest.mark.slow
def test_a_full_disk_and_one_that_cannot_be_written(here, small_disk):
    """One line that names the place, nothing half-written taken for whole, and the same command goes on."""
    disk, remount = small_disk
    write(here / "large", LARGER)
    subprocess.run(command("--jobs", "2", "--json"), check=True, capture_output=True)
    expected, out = made(here), disk / "out"
    largest = max(map(len, expected.values()))
    assert remount(f"size={int(2.5 * largest) // 1024}k")

    def refused(reason):
        done = subprocess.run(command("--jobs", "2", out=out), capture_output=True, text=True)
        assert done.returncode == 1
        (error,) = [
            line
            for line in done.stderr.splitlines()
            if ": made before; " not in line and " MB of " not in line
        ]
        assert re.fullmatch(
            rf"xorjax: error: {out}\S*: {reason}; fix this, then run the same command to resume",
            error,
        )

    refused("No space left on device")
    for name, content in made(here, out).items():
        assert name.endswith(".tmp") or content == expected[name]
    assert cli.main(["verify", str(out)]) == 1
    refused("No space left on device")
    assert remount("size=30m", "ro")
    refused("Read-only file system")
    assert remount("size=30m", "rw")
    done = subprocess.run(command("--jobs", "2", out=out), check=True, capture_output=True, text=True)
    assert "made before" in done.stderr
    assert made(here, out) == expected
    assert cli.main(["verify", str(out)]) == 0


@pytest.mark.slow
def test_a_cluster_that_loses_a_node_gives_the_same_bytes(here, cluster):
    address, raylets = cluster
    write(here / "large", LARGER)
    subprocess.run(command("--jobs", "1", "--json", out="expected"), check=True, capture_output=True)
    process = subprocess.Popen(
        command("--json", f"--ray={address}"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    kill_node(raylets, lambda: making(here / "out"), process)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert [each["state"] for each in json.loads(output)["shards"]] == ["made"] * 4
    assert made(here) == made(here, "expected")


def making(out):
    """The processes that are in the middle of a shard."""
    stages = [noted.parent.stem for noted in out.glob(".work/shard/*.partial/progress")]
    return [int((out / ".work" / ".claims" / f"shard-{stage}").read_text().split()[1]) for stage in stages]


@pytest.mark.slow
def test_memory_is_that_of_the_largest_tensor(here):
    """268 MB of weights in tensors of 4 MB: a worker takes a little more than Python and numba, not the shard."""
    shards = {}
    for i in (1, 2):
        names = [f"l{i}.{j}.weight" for j in range(32)]
        shards[f"m-{i}-of-2"] = {name: RNG.standard_normal((1024, 1024), dtype=np.float32) for name in names}
    write(here / "large", shards)
    write(here / "small", {"s-1-of-1": {"x.weight": shards["m-1-of-2"]["l1.0.weight"]}})

    def peak(source):
        argv = [sys.executable, "-m", "xorjax.cli", "compress", source, f"{source}.out", *SETTINGS]
        argv += ["--n-out", "96", "--jobs", "1", "--json"]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        return max(shard["peak_bytes"] for shard in json.loads(done.stdout)["shards"])

    # What is not of the largest tensor: the code words of a shard's 32 layers, 3 MB, and the allocator's slack.
    assert peak("large") < peak("small") + 40e6
