import shlex
import signal
import sys
from pathlib import Path

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import OmegaConf, open_dict

from xorjax.codec.signs import SignsCode
from xorjax.codec.xor import XorCode
from xorjax.config.engine import start_engine
from xorjax.config.sweep import compose, expand, point_command
from xorjax.config.validate import ConfigError, load_config
from xorjax.engines import EngineError

ROOT = Path(__file__).resolve().parents[2]
BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


class Recorder:
    """A launcher that runs nothing."""

    def launch(self, job_overrides, initial_job_idx):
        self.jobs = [list(job) for job in job_overrides]
        return []


def jobs(loader, master, tmp_path):
    """What the sweeper hands to its launcher."""
    OmegaConf.update(master, "hydra.sweep.dir", str(tmp_path))
    sweeper = Plugins.instance().instantiate_sweeper(
        config=master,
        hydra_context=HydraContext(config_loader=loader, callbacks=Callbacks()),
        task_function=lambda cfg: None,
    )
    sweeper.launcher = Recorder()
    sweeper.validate_batch_is_legal = lambda batch: None
    sweeper.sweep(OmegaConf.to_container(master.hydra.overrides.task))
    return sweeper.launcher.jobs


@pytest.mark.parametrize(
    ("overrides", "n"),
    [
        (["+experiment=lenet_sweep"], 54),
        (["+experiment=lenet_sweep", "prune.rate=.95"], 18),
        (["+experiment=lenet_sweep", "seed=0,1,2,3"], 72),
        (["+experiment=lenet_sweep", "code.n_in=20", "code.fill=0.8", "prune.rate=0.95", "seed=7"], 2),
        (["+experiment=lenet_sweep", "quantize.ste=clipped,identity"], 108),
        (["+experiment=lenet_paper"], 60),
        (["optim=adam,sgd", "seed=range(3)"], 6),
        (["code=xor,signs", "seed=0,1"], 4),
        (["seed=3"], 1),
    ],
)
def test_the_points_without_parts_are_those_of_hydras_sweeper(
    loader, compose_multirun, tmp_path, overrides, n
):
    master = compose_multirun(*overrides)
    points = expand(loader, master)
    assert points == jobs(loader, master, tmp_path)
    basic = {"_target_": BASIC, "max_batch_size": None, "params": master.hydra.sweeper.params}
    with open_dict(master.hydra):
        master.hydra.sweeper = basic
    assert points == jobs(loader, master, tmp_path)
    assert len(points) == n


def test_the_command_line_replaces_a_parameter_of_the_experiment(loader, compose_multirun):
    master = compose_multirun("+experiment=lenet_sweep", "prune.rate=.95", "seed=0,1,2,3")
    configs = [load_config(cfg) for cfg in compose(loader, master, expand(loader, master))]
    assert {config.prune.rate for config in configs} == {0.95}
    assert {config.seed for config in configs} == {0, 1, 2, 3}
    assert {config.code.n_in for config in configs} == {12, 20, 64}
    assert len(set(configs)) == 1 * 3 * 2 * 4


@pytest.mark.parametrize(
    "overrides",
    [
        ["+experiment=lenet_smoke"],
        [
            "+experiment=lenet_smoke",
            "+debug=quick",
            "prune.layers=[fc*],[fc1]",
            "code.n_in=20",
            "prune.rate=.9",
        ],
        ["optim=adam,sgd", "optim@prune.optim=sgd", "seed=1,2"],
        ["prune.schedule={first:0.3},{levels:2}", "++seed=1,2", "code.taps=null,3"],
    ],
)
def test_a_point_is_composed_as_hydra_does(loader, compose_multirun, overrides):
    master = compose_multirun(*overrides)
    points = expand(loader, master)
    assert len(points) >= 2
    for point, cfg in zip(points, compose(loader, master, points), strict=True):
        assert OmegaConf.to_container(cfg) == OmegaConf.to_container(loader.load_sweep_config(master, point))


def test_the_sweep_of_an_experiment_can_be_left_out(loader, compose_multirun):
    config = compose_multirun(
        "+experiment=lenet_smoke", "code=signs", "hydra.sweeper.params=null", "seed=0,1"
    )
    assert [point[-1] for point in expand(loader, config)] == ["seed=0", "seed=1"]


def test_codes_can_be_swept(loader, compose_multirun):
    master = compose_multirun("code=xor,paper,signs", "per_layer={fc1:{quantize.n_planes:2}},null")
    configs = [load_config(cfg) for cfg in compose(loader, master, expand(loader, master))]
    assert [config.code for config in configs[::2]] == [
        XorCode(),
        XorCode(slicing="row_major", method="greedy", patch_format="paper"),
        SignsCode(),
    ]
    assert [config.for_layer("fc1").quantize.n_planes for config in configs] == [2, 1] * 3


def test_points_that_choose_the_same_are_composed_once(loader, compose_multirun, monkeypatch):
    master = compose_multirun("+experiment=lenet_smoke", "optim=adam,sgd")
    points = expand(loader, master)
    calls = []
    original = loader.load_sweep_config
    monkeypatch.setattr(loader, "load_sweep_config", lambda *args: calls.append(args) or original(*args))
    assert len(compose(loader, master, points)) == 8
    assert len(calls) == 2


def test_a_parameter_that_is_no_setting_is_refused(loader, compose_multirun):
    master = compose_multirun("+experiment=lenet_sweep")
    with open_dict(master.hydra.sweeper):
        master.hydra.sweeper.params["prune.rte"] = "0.9"
    with pytest.raises(ConfigError, match=r"nearest is prune\.rate"):
        expand(loader, master)


def test_a_range_is_searched_and_not_swept(loader, compose_multirun):
    with pytest.raises(ConfigError, match=r"interval\(0.85,0.98\) cannot be swept: .*scripts/search.py"):
        expand(loader, compose_multirun("+experiment=lenet_search"))


def in_job(cfg):
    HydraConfig.instance().set_config(cfg)
    return HydraConfig.get()


@pytest.fixture(autouse=True)
def _restore_hydra_config():
    yield
    HydraConfig.instance().cfg = None


def test_a_points_command_runs_it_alone(loader, compose_multirun, compose_run):
    master = compose_multirun("+experiment=lenet_sweep", "prune.layers=[fc1]", "hydra.verbose=false")
    points = expand(loader, master)
    for cfg in compose(loader, master, points)[::20]:
        command = point_command(in_job(cfg))
        assert command.startswith("python scripts/train.py +experiment=lenet_sweep hydra.mode=RUN ")
        alone = compose_run(*shlex.split(command)[2:])
        assert load_config(alone) == load_config(cfg)
        assert alone.hydra.mode.name == "RUN"
        assert point_command(in_job(alone)) == command
    cfg = compose(loader, master, points)[0]
    assert point_command(in_job(cfg)) == (
        "python scripts/train.py +experiment=lenet_sweep hydra.mode=RUN hydra.verbose=false seed=0 "
        "prune.rate=0.9 code.n_in=12 code.patch_format=care 'prune.layers=[fc1]'"
    )


def test_a_run_without_experiment_is_its_own_command(compose_run):
    assert point_command(in_job(compose_run())) == "python scripts/train.py"
    assert point_command(in_job(compose_run("seed=1", "hydra.mode=RUN"))) == "python scripts/train.py seed=1"


def test_below_uv_commands_are_told_with_uv(train):
    done = train("seed=3", "prune.rate=.9", UV_RUN_RECURSION_DEPTH="1")
    (call,) = lines(done.stdout, "point")
    assert call[-1] == "uv run python scripts/train.py seed=3 prune.rate=.9"


def lines(text: str, first: str) -> list[list[str]]:
    return [line.split("|") for line in text.splitlines() if line.startswith(first)]


def test_a_sweep_is_handed_over_with_all_points(train, tmp_path):
    done = train("+experiment=lenet_sweep", "prune.rate=.9,.98", "code.patch_format=care")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("|")[0] for line in done.stdout.splitlines()] == ["run", *["point"] * 18]
    (call,) = lines(done.stdout, "run")
    assert (call[1], call[3]) == ("18", "1")
    assert (
        call[2] == "python scripts/train.py +experiment=lenet_sweep prune.rate=.9,.98 code.patch_format=care"
    )
    assert lines(done.stdout, "point")[17][1:4] == ["0.98", "64", "2"]
    # No folder with a job's number, none of a point, no record of Hydra's.
    assert list((tmp_path / "runs").rglob("*")) == []


def test_one_point_runs_and_leaves_nothing_of_hydras(train, tmp_path):
    done = train("+experiment=lenet_sweep", "+debug=one_point", "seed=4")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("|")[0] for line in done.stdout.splitlines()] == ["run", "point"]
    assert [path.name for path in (tmp_path / "runs").rglob("*")] == [".hydra"]


@pytest.mark.parametrize(
    ("launcher", "n_jobs"),
    [(("joblib", "hydra.launcher.engine.n_jobs=3"), "3"), (("joblib",), "2"), (("serial",), "1")],
)
def test_a_launcher_is_an_engine(train, launcher, n_jobs):
    done = train("-m", "seed=0,1", f"hydra/launcher={launcher[0]}", *launcher[1:])
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout, "run")[0][3] == n_jobs
    assert len(lines(done.stdout, "point")) == 2


@pytest.mark.parametrize(("arguments", "n"), [(["seed=0,1"], 2), (["seed=range(3)", "optim=adam,sgd"], 6)])
def test_several_values_are_a_sweep(train, arguments, n):
    done = train(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    (call,) = lines(done.stdout, "run")
    assert call[1:3] == [str(n), shlex.join(["python", "scripts/train.py", "-m", *arguments])]
    assert len(lines(done.stdout, "point")) == n


def test_another_launcher_runs_point_after_point(train):
    done = train("-m", "seed=0,1", "hydra/launcher=basic")
    assert (done.returncode, done.stderr) == (0, "")
    assert [call[1:2] + call[3:] for call in lines(done.stdout, "run")] == [["1", "no engine"]] * 2
    assert [line[3] for line in lines(done.stdout, "point")] == ["0", "1"]


def test_a_sweep_in_batches_is_refused(train, tmp_path):
    done = train("-m", "seed=0,1,2", "hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: hydra.sweeper.max_batch_size is 2; it must be null")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_of_an_engine_that_cannot_be_had_its_own_sentence_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"^Ray is not installed"):
        start_engine(OmegaConf.create({"_target_": "xorjax.engines.Ray", "address": "local"}))


@pytest.mark.parametrize(
    "launcher",
    ["serial", pytest.param("ray", marks=pytest.mark.slow), pytest.param("joblib", marks=pytest.mark.slow)],
)
def test_sigterm_is_an_interruption_on_every_engine(start_train, launcher, only_ray):
    address = ["hydra.launcher.engine.address=local"] if launcher == "ray" else []
    arguments = ["-m", "seed=0,1", f"hydra/launcher={launcher}", *address]
    process = start_train(*arguments, STUB_WAITS="1")
    assert process.stdout.readline().startswith("run|2|")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == f"interrupted; to resume: python scripts/train.py {shlex.join(arguments)}\n"


def test_an_interruption_is_not_lost_in_a_callback_of_the_garbage_collector(start_train):
    process = start_train("seed=3", STUB_WAITS="interrupted while garbage is collected")
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == "interrupted; to resume: python scripts/train.py seed=3\n"


@pytest.mark.parametrize(("kind", "code"), [("user", 2), ("bug", 1)])
def test_a_failed_point_is_in_the_exit_code(train, kind, code):
    done = train("-m", "seed=0,1,2", STUB_FAILS="1", STUB_ERROR=kind)
    assert done.returncode == code
    assert [line[3] for line in lines(done.stdout, "point")] == ["0", "2"]


def test_an_error_at_the_start_stops_before_any_point(train, tmp_path):
    done = train("-m", "seed=0,1,2", STUB_FAILS="start")
    assert done.returncode == 2
    assert done.stderr == "error: [Errno 13] Permission denied: 'runs'\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["prune.rate=1"],
            "error: prune.rate is 1.0; it must be at least 0 and less than 1; the nearest is 0.99\n",
        ),
        (
            ["+prune.rte=1"],
            "error: prune.rte (in +prune.rte=1) is not a setting; the nearest is prune.rate\n",
        ),
        (
            ["-m", "code.n_in=20,170"],
            "error: code.n_in is 170; it must be at least 1 and at most 128; the nearest is 128\n",
        ),
        (
            ["--experiment", "lenet_smoke"],
            "error: --experiment is no option; write +experiment=...\n",
        ),
        (["--optim=sgd"], "error: --optim=sgd is no option; write optim=sgd\n"),
        (
            ["code=signs", "code.n_in=12"],
            "error: code.n_in is a setting of code=trained or code=xor, neither of which is chosen\n",
        ),
        (["xor.n_in=12"], "error: xor.n_in=12 is written code.n_in=12 now\n"),
        (
            ["code=xor,signs", "code.n_in=12"],
            "error: code.n_in (in code.n_in=12) is a setting of code=xor, but not ",
        ),
        (
            ["seed=range(0,0)"],
            "error: seed=range(0,0) has no values, so that there are no points; a range ends",
        ),
        (["seed=range(0,3,0)"], "error: seed=range(0,3,0) cannot be: "),
        (
            ["-m", "seed=glob(*)"],
            "error: seed=glob(*) has no values, so that there are no points; glob chooses",
        ),
        (["+experiment=lenet_smoke", "seed=range(2,2)"], "error: seed=range(2,2) has no values"),
        (
            ["+experiment=lenet_smoke", "+debug=one_point", "seed=0,1"],
            "error: seed=0,1 has several values, and",
        ),
        (
            ["--cfg", "job", "seed=0,1"],
            "error: seed=0,1 has several values, and this command is for one point",
        ),
        (
            ["seed=[0,1]"],
            "error: seed=[0,1] is a list, and seed takes one value; several, to sweep over, are written seed=0,1\n",
        ),
        (
            ["seed=[]"],
            "error: seed=[] is a list, and seed takes one value; several, to sweep over, are written seed=A,B\n",
        ),
        (
            ["+experiment=lenet_smoke,lenet_sweep"],
            "error: +experiment=lenet_smoke,lenet_sweep names several experiments",
        ),
        (
            ["+experiment=glob(x*)"],
            "error: +experiment=glob(x*) matches no experiment; it must be one of flexor_lenet, front, lenet300_",
        ),
        (
            ["+experiment=lenet_smoke", "code=signs"],
            "error: code.n_in=12,20 is of the experiment's sweep, and code=signs has no such setting; ",
        ),
        (
            ["-m", "hydra/launcher=slurm"],
            "error: hydra/launcher must be serial, joblib or ray; jobs of SLURM are run by python scripts/slurm.py\n",
        ),
        (
            ["-m", "hydra/launcher=jobli"],
            "error: hydra/launcher is jobli; it must be serial, joblib or ray\n",
        ),
    ],
)
def test_a_wrong_command_is_one_line_and_writes_nothing(train, tmp_path, arguments, error):
    done = train(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(Path(tmp_path).iterdir()) == []


def test_an_empty_variable_is_as_one_that_is_not_set(train):
    empty = dict.fromkeys(("XORJAX_ROOT", "XORJAX_RUNS", "XORJAX_DATA", "XORJAX_CACHE"), "")
    done = train("--cfg", "job", "--resolve", **empty)
    places = [line.strip() for line in done.stdout.splitlines() if str(ROOT) in line]
    assert done.returncode == 0
    assert places == [
        f"dir: {ROOT}/data",
        f"cache_dir: {ROOT}/.cache",
        f"root: {ROOT}",
        f"runs: {ROOT}/runs",
    ]


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_sweep_is_run_whatever_its_output_is(start_train, descriptor):
    with open("/dev/full", "wb") as full:
        done = start_train("-m", "seed=0,1", **{("stdout", "stderr")[descriptor - 1]: full})
        output, errors = done.communicate()
    if descriptor == 1:
        assert (done.returncode, errors) == (1, "error: standard output: No space left on device\n")
    else:
        assert (done.returncode, output.count("point|")) == (0, 2)


def test_hydras_flags_still_work(train):
    done = train("--cfg", "job")
    assert done.returncode == 0
    assert "prune" in done.stdout
    assert "point|" not in done.stdout
