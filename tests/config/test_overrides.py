import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xorjax.config.overrides import check_arguments, check_overrides
from xorjax.config.validate import ConfigError

CONF = Path(__file__).resolve().parents[2] / "conf"

WRONG = {
    "prune.rte=0.9": "prune.rte (in prune.rte=0.9) is not a setting; the nearest is prune.rate",
    "+prune.rte=0.9": "the nearest is prune.rate",
    "++prune.rte=0.9": "the nearest is prune.rate",
    "rate=0.9": "the nearest is prune.rate",
    "datas=mnist": "datas (in datas=mnist) is not a setting; the nearest is data",
    "+experimnt=lenet_sweep": "the nearest is +experiment",
    "+prune.rate=0.9": "+prune.rate=0.9 adds a setting that is there already; the nearest is prune.rate=0.9",
    "+data=mnist": "the nearest is data=mnist",
    "~seed": "~seed removes a setting",
    "data=mnits": "data has no choice 'mnits' (in data=mnits); it must be one of brown, cifar10, "
    "fashion_mnist, mnist, ptb; the nearest is mnist",
    "data=mnist,mnits": "'mnits'",
    "prune.rate@x=1": "is a setting, not a group",
    "optim@prune.optm=sgd": "optim@prune.optm (in optim@prune.optm=sgd) is not a group; the nearest is optim@prune.o",
    "+experiment=lenet_swep": "the nearest is lenet_sweep",
    "experiment=lenet_sweep": "write +experiment=lenet_sweep",
    "++experiment=lenet_sweep": "write +experiment=lenet_sweep",
    "+debug=[quick,on_point]": "the nearest is one_point",
    "seed=[": "'seed=[' is not an override",
    "seed": "'seed' is not an override",
    "xor.n_in=20": "xor.n_in=20 is written code.n_in=20 now",
    "xor.n_in=12,20": "is written code.n_in=12,20 now",
    "xor.layout=shuffled": "is written code.slicing=shuffled now",
    "xor.layout_seed=1": "is written code.slicing_seed=1 now",
    "xor=paper": "xor=paper is written code=paper now",
    "xor=minimum": "xor=minimum is written code=xor now",
    "code.id=signs": "code.id (in code.id=signs) is chosen with its group; write code=CHOICE",
    "prune.optim.lr=0.1": "the nearest is prune.optim.learning_rate",
    "quantize.optim.bs=64": "the nearest is quantize.optim.batch_size",
    "per_layer.fc1=3": "per_layer.fc1 (in per_layer.fc1=3) is not a setting; the nearest is per_layer",
}

RIGHT = [
    "prune.rate=0.9",
    "prune.rate=0.9,0.95",
    "seed=range(3)",
    "++seed=1",
    "prune.schedule={first:0.3,levels:2}",
    "optim=sgd,adam",
    "optim@prune.optim=sgd",
    "+experiment=lenet_sweep",
    "+debug=quick",
    "+debug=[quick,one_point]",
    "hydra.mode=RUN",
    "code=xor,signs",
    "mask=csr4,csr8",
    "model=glob(*)",
    "per_layer={conv*:{prune.rate:0.8,code.n_in:12}}",
    "hydra/launcher=basic",
    "+hydra.anything=1",
]


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_override_is_refused_by_name(override):
    with pytest.raises(ConfigError) as error:
        check_overrides([override], CONF)
    assert len(error.value.problems) == 1
    assert WRONG[override] in error.value.problems[0]
    assert "\n" not in error.value.problems[0]


def test_right_overrides_pass():
    assert check_overrides(RIGHT, CONF) is None


def test_all_wrong_overrides_are_reported_together():
    with pytest.raises(ConfigError) as error:
        check_overrides(["sed=1", "seed=1", "code.nin=2"], CONF)
    assert len(error.value.problems) == 2


def test_debug_comes_after_the_experiment():
    with pytest.raises(ConfigError, match=r"put \+debug last"):
        check_overrides(["+debug=quick", "seed=1", "+experiment=lenet_sweep"], CONF)
    assert check_overrides(["+experiment=lenet_sweep", "+debug=quick"], CONF) is None


@pytest.mark.parametrize("text", ["1", "prune.rate"])
def test_an_override_without_a_value_is_said(text):
    with pytest.raises(ConfigError, match="it gives no value; several values are written seed=0,1,2"):
        check_overrides([text], CONF)


def test_how_letters_beyond_ascii_are_written_is_said():
    with pytest.raises(ConfigError) as error:
        check_overrides(["paths.runs=/tmp/ü b"], CONF)
    (problem,) = error.value.problems
    assert problem.endswith("""need quotes in quotes: 'paths.runs="/tmp/ü b"'""")
    assert check_overrides(['paths.runs="/tmp/ü b"'], CONF) is None


@pytest.mark.parametrize("flag", ["--help", "--hydra-help", "--shell-completion"])
def test_hydras_flags_are_hydras(flag):
    assert check_arguments([flag, "nothing=1"], CONF) is None


def test_other_flags_are_told_from_overrides():
    with pytest.raises(ConfigError):
        check_arguments(["--cfg", "job", "nothing=1"], CONF)
    assert check_arguments(["-m", "seed=1"], CONF) is None


IMPORTED = "; import sys; print(*sorted({'flax', 'jax', 'numba'} & set(sys.modules)))"
REFUSED = (
    f"from pathlib import Path; from xorjax.config.overrides import find_groups, _problems;"
    f"assert [*_problems('prune.rte=0.9', find_groups(Path({str(CONF)!r})))]",
    "from xorjax.config.checks import find_problems; from xorjax.config.schema import Config, PruneConfig;"
    "assert find_problems(Config(prune=PruneConfig(rate=2.0)))",
)


@pytest.mark.parametrize("refusal", REFUSED, ids=["no setting", "no value of it"])
def test_a_wrong_command_is_refused_before_jax_is_imported(refusal):
    run = subprocess.run(
        [sys.executable, "-c", refusal + IMPORTED], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


def test_a_setting_whose_line_a_file_lacks_is_said(tmp_path):
    """The code has the setting, and the file that chooses it does not name it, so that Hydra has nothing to change."""
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "code" / "xor.yaml").write_text("id: xor\nn_in: 20\n")
    with pytest.raises(ConfigError) as error:
        check_overrides(["code=paper", "code.taps=3", "code.n_in=12"], conf)
    assert error.value.problems == (
        "code.taps (in code.taps=3): conf/code/paper.yaml has no line 'taps', though code=paper has the setting; add "
        "the line with its default",
    )


def test_a_setting_of_one_of_several_codes_is_said_to_be_that_ones():
    with pytest.raises(ConfigError) as error:
        check_overrides(["code=xor,paper,signs", "code.n_in=12"], CONF)
    assert error.value.problems == (
        "code.n_in (in code.n_in=12) is a setting of code=xor and code=paper, but not of code=signs, which is swept "
        "with it; give each a command of its own",
    )
