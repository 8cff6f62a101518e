"""The optimizer of a run, a frozen value: optax's update rule times a learning rate read off the step.

The learning rate is a function of the step alone and no part of the optimizer's state, so that a run can
start at any epoch of its schedule (rewinding) with fresh moments.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Int32

from xorjax.config.schema import OptimConfig
from xorjax.params import Params


def decayed(params: Params) -> dict[str, bool]:
    """Weight decay acts on kernels, not on biases."""
    return {key: key.endswith("kernel") for key in params}


@dataclass(frozen=True)
class Optimizer:
    """adam (weight decay added to the gradient), adamw (decoupled) or sgd (momentum .9)."""

    config: OptimConfig
    steps_per_epoch: int

    @property
    def n_steps(self) -> int:
        """Of the whole schedule."""
        return self.config.epochs * self.steps_per_epoch

    @cached_property
    def rule(self) -> optax.GradientTransformation:
        """The update before it is multiplied by minus the learning rate."""
        adam, momentum = optax.scale_by_adam(), optax.trace(0.9)
        weight_decay = self.config.weight_decay
        clip = [optax.clip_by_global_norm(self.config.clip)] if self.config.clip else []
        decay = [optax.add_decayed_weights(weight_decay, decayed)] if weight_decay else []
        chains = {"adam": [*decay, adam], "adamw": [adam, *decay], "sgd": [*decay, momentum]}
        return optax.chain(*clip, *chains[self.config.name])

    def learning_rate(self, step: Int32[Array, ""]) -> Float32[Array, ""]:
        """Linear warm-up over `warmup_epochs`, then as `schedule` says.

        `cosine` is half a wave down to 0 at the last step, `one_cycle` a straight line, `step` a constant but for the
        drops.
        """
        config = self.config
        warmup, last = config.warmup_epochs * self.steps_per_epoch, self.n_steps
        position = step.astype(jnp.float32)
        rate = jnp.float32(config.learning_rate)
        past = jnp.clip((position - warmup) / max(last - warmup, 1.0), 0.0, 1.0)
        match config.schedule:
            case "cosine":
                rate *= 0.5 + 0.5 * jnp.cos(jnp.pi * past)
            case "one_cycle":
                rate *= 1.0 - past
            case "step":
                n_drops = jnp.sum(position >= last * jnp.asarray(config.drops, jnp.float32))
                rate *= jnp.float32(config.drop_factor) ** n_drops
        return rate * jnp.minimum((position + 1.0) / warmup, 1.0) if warmup else rate

    def init(self, params: Params) -> optax.OptState:
        """Fresh moments."""
        return self.rule.init(params)

    def update(
        self, gradients: Params, opt_state: optax.OptState, params: Params, step: Int32[Array, ""]
    ) -> tuple[Params, optax.OptState]:
        """What to add to `params` at `step`, and the moments after it."""
        # optax raises a float to an integer count, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            directions, opt_state = self.rule.update(gradients, opt_state, params)
        rate = self.learning_rate(step)
        return jax.tree.map(lambda direction: -rate * direction, directions), opt_state
