"""Stage 3: fine-tune the pruned layers to binary code with straight-through gradients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.artifacts.artifact import Artifact, save_arrays
from xorjax.codec.weights import weigh
from xorjax.config.schema import Config
from xorjax.models import Params, State, merge
from xorjax.params import Masks, layer_name
from xorjax.pipeline.build import Build, group, join
from xorjax.pipeline.training import MASK_READS, UPSTREAM_NEEDS, Upstream, dataset, masks_before, summary
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.quantize.latent import LatentForm
from xorjax.train.loop import train
from xorjax.train.predict import predict

READS = (*MASK_READS, "quantize")
NEEDS = UPSTREAM_NEEDS
TEST_LOGITS = "test_logits"


@dataclass(frozen=True)
class Quantized:
    """A quantized model: float parameters, state, and for each quantized parameter its mask, bit planes and scales."""

    params: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    planes: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]

    @classmethod
    def load(cls, artifact: Artifact) -> "Quantized":
        arrays = artifact.arrays()
        return cls(*(group(arrays, field.name) for field in fields(cls)))

    @property
    def uncoded(self) -> dict[str, np.ndarray]:
        """What a file holds as it is: the other parameters, and the state, without which there is no evaluation."""
        return self.params | self.state

    def weights(self) -> dict[str, np.ndarray]:
        """All parameters as floats: a quantized one is its mask times the sum of scales times signs."""
        return self.params | {
            path: weigh(planes, self.scales[path], self.masks[path]) for path, planes in self.planes.items()
        }


def quantize(build: Build) -> dict:
    """The quantized model and its logits for the test split: what every decoded model must equal."""
    return fine_tune(build, _binary)


def _binary(layers: Mapping[str, Config], params: Params) -> BinaryForm:
    settings = {path: own.quantize for path, own in layers.items()}
    return BinaryForm.of(
        {
            path: Binarizer(own.n_planes, own.scale, own.ste, None, own.scale_bits)
            for path, own in settings.items()
        }
    )


def fine_tune(
    build: Build, form_of: Callable[[Mapping[str, Config], Params], BinaryForm | LatentForm]
) -> dict:
    """Train the layers that have masks as `form_of` makes of the settings of each; as `quantize`."""
    config = build.config
    upstream = Upstream.load(build)
    inputs, masks = upstream.inputs, masks_before(build, upstream.params)
    layers = {path: config.for_layer(layer_name(path)) for path, mask in masks.items() if mask is not None}
    form = form_of(layers, upstream.params)
    params, own_masks = form.start(upstream.params, masks, config.seed)
    recipe = upstream.recipe(config, form, "quantize.optim")
    result = train(
        recipe,
        params,
        upstream.state,
        own_masks,
        inputs.train,
        inputs.validation,
        build.work,
        on_epoch=build.on_epoch,
    )
    model = _encode(form, result.params, result.state, masks)
    weights = {path: jnp.asarray(value) for path, value in model.weights().items()}
    test = dataset(config.task, config.data).test
    outputs = predict(config.task, merge(upstream.network, weights, result.state), test)
    save_arrays(build.work / paths.ARRAYS, join(**vars(model)) | {TEST_LOGITS: outputs})
    before = _encode(form, params, upstream.state, masks)
    return summary(recipe, result, outputs, test) | {"flipped_signs": _flipped(before, model)}


def _flipped(before: Quantized, after: Quantized) -> dict[str, float]:
    """The share of each layer's kept signs, of all its planes, that training changed."""
    shares = {}
    for path, mask in after.masks.items():
        kept = np.broadcast_to(mask, after.planes[path].shape)
        shares[path] = (
            float(np.mean((before.planes[path] != after.planes[path])[kept])) if kept.any() else 0.0
        )
    return shares


def _encode(form: BinaryForm | LatentForm, params: Params, state: State, masks: Masks) -> Quantized:
    kept = {path: mask for path, mask in masks.items() if mask is not None}
    coded, formed = form.encode(params, masks), form(params, masks)
    return Quantized(
        {path: np.asarray(value) for path, value in formed.items() if path not in kept},
        {path: np.asarray(value) for path, value in state.items()},
        {path: np.asarray(mask) for path, mask in kept.items()},
        {path: planes for path, (planes, _) in coded.items()},
        {path: scales for path, (_, scales) in coded.items()},
    )
