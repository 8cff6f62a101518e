"""The stages of a point as the machine makes them: each by the function of its kind, tracked while it trains."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import jax

from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.graph import Node
from xorjax.artifacts.provenance import device
from xorjax.config.schema import Config
from xorjax.errors import SetupError
from xorjax.pipeline.baselines import baselines
from xorjax.pipeline.build import Build
from xorjax.pipeline.dense import dense
from xorjax.pipeline.encode import encode
from xorjax.pipeline.evaluate import evaluate
from xorjax.pipeline.mask import mask
from xorjax.pipeline.plan import Plan, make_plan
from xorjax.pipeline.prune import prune
from xorjax.pipeline.quantize import quantize
from xorjax.pipeline.reference import reference
from xorjax.pipeline.train_code import train_code
from xorjax.pipeline.unpruned import unpruned
from xorjax.settings import plain
from xorjax.trackers import open_trackers

STAGES: dict[str, Callable[[Build], dict]] = {
    function.__name__: function
    for function in (
        dense,
        unpruned,
        reference,
        prune,
        mask,
        quantize,
        train_code,
        baselines,
        encode,
        evaluate,
    )
}


def nodes(plan: Plan) -> tuple[Node, ...]:
    """The stages of a point with what makes them, in order."""
    return tuple(
        Node(stage, plan.needs(stage), build_stage, (plan.config, stage.name)) for stage in plan.stages
    )


def build_stage(work: Path, needs: Mapping[str, Artifact], config: Config, name: str) -> dict:
    """Fill `work` with the stage `name` of the point that `config` describes; returns its summary.

    The trackers that the settings name are told of each epoch; of stages that train nothing they are told nothing.

    Raises:
        SetupError: JAX finds no device, or computes in 64 bits, which no artifact's name says.
    """
    if jax.config.read("jax_enable_x64"):
        raise SetupError(
            "JAX_ENABLE_X64 is set, and what is trained would be other than its name says: unset it"
        )
    plan, computes_on = make_plan(config), device()
    stage = next(stage for stage in plan.stages if stage.name == name)
    trackers = open_trackers(config.trackers if stage.epochs else (), Path(config.paths.runs))
    with ExitStack() as stack:
        logs = [stack.enter_context(tracker.stage(stage.kind, name, plain(config))) for tracker in trackers]

        def on_epoch(row: dict) -> None:
            for log in logs:
                log(row)

        return STAGES[stage.kind](Build(plan, stage, needs, work, on_epoch)) | {"device": computes_on}
