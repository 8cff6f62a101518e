"""What the source paper and its follower published, row by row, and which of our points stands beside each.

Published figures carry how they are known: "quoted" (read in a public text of the paper), "as recalled" (never
confirmed), "derived" (arithmetic).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xorjax.metric import ACCURACY, Metric

PERPLEXITY = Metric("perplexity", "", higher_is_better=False, tolerance=0.1)
MARKS = {"v": "quoted", "r": "as recalled", "d": "derived"}
GPU = "_gpu"
"""Behind the name of an experiment: the report of the same with the recipe for a GPU."""


def number(value: float) -> str:
    """Four digits at most."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if 0 < value < 1 else f"{value:.4g}"


@dataclass(frozen=True)
class Figure:
    """A published number and how it is known: a key of `MARKS`."""

    value: float
    mark: str

    def bits(self) -> str:
        return f"{number(self.value)} ({MARKS[self.mark]})"

    def of(self, metric: Metric) -> str:
        return f"{metric.text(self.value)} ({MARKS[self.mark]})"


@dataclass(frozen=True)
class Row:
    """A row of a published table.

    Attributes:
        network: with its layers.
        setting: what ours is.
        total: published bits a weight; `index` those of the mask, `metric` the published metric, `dense` that of the
            dense network.
        experiment: whose report is read, or the table of its name; one that ends in .json is AlexNet's.
        where: which of its points: values of columns of `measured.SETTINGS`, or for AlexNet's the mask.
        differs: in the set-up.
        command: what makes it; of an experiment it is that of the experiment.
    """

    network: str
    setting: str
    experiment: str
    where: Mapping[str, Any]
    differs: str
    total: Figure | None = None
    index: Figure | None = None
    metric: Figure | None = None
    dense: Figure | None = None
    unit: Metric = ACCURACY
    command: str = ""

    @property
    def how(self) -> str:
        return self.command or f"python scripts/train.py +experiment={self.experiment}"

    @property
    def published(self) -> str:
        """The published figures for readers, each with its mark."""
        lost, recalled = None, ""
        if self.metric and self.dense:
            lost = self.unit.loss(self.metric.value, self.dense.value)
            recalled = " of figures as recalled" if "r" in (self.metric.mark, self.dense.mark) else ""
        parts = [
            f"{self.total.bits()} bits" if self.total else "",
            f"{self.index.bits()} of them index" if self.index else "",
            f"{self.unit.name} {self.metric.of(self.unit)}" if self.metric else "",
            f"dense {self.dense.of(self.unit)}" if self.dense else "",
            f"loss {self.unit.difference(lost)} (derived{recalled})" if lost is not None else "",
        ]
        return "; ".join(filter(None, parts)) or "none"


def v(value: float) -> Figure:
    return Figure(value, "v")


def r(value: float) -> Figure:
    return Figure(value, "r")


def d(value: float) -> Figure:
    return Figure(value, "d")


EXACT, LOW_RANK, XOR = ({"mask": codec} for codec in ("ans_rc", "lowrank", "xor"))
MASKS = ((EXACT, "exact mask"), (LOW_RANK, "low-rank mask"), (XOR, "XOR-coded mask"))
OTHER_MASK = {
    "exact mask": "the paper's mask has low rank; this one stores any mask, as magnitude pruning leaves it",
    "low-rank mask": "another search for factors, and code words with the fewest patches",
    "XOR-coded mask": "masks decoded by an XOR network in place of low-rank ones",
}
ALEXNET = "python benchmarks/alexnet.py --masks exact lowrank xor --json runs/reports/alexnet.json"
REAL = (
    "python scripts/get_weights.py plants && python benchmarks/alexnet.py --weights "
    ".cache/weights/plants/model.safetensors --layers fc1.weight --masks exact lowrank xor --json "
    "runs/reports/alexnet_real.json"
)
OF_ALEXNET: dict[str, Any] = {"total": v(0.28), "index": d(0.19), "metric": r(0.576)}
LENET: dict[str, Any] = {"total": r(0.19), "metric": r(0.991)}
RESNET: dict[str, Any] = {"total": r(1.22), "metric": r(0.916)}
LSTM: dict[str, Any] = {"total": r(1.67), "metric": r(89.6), "unit": PERPLEXITY}

SOURCE = (
    Row(
        "LeNet-5 FC1, MNIST",
        "S=0.95, 1 bit, exact mask",
        "lenet_headline",
        EXACT | {"prune_rate": 0.95},
        OTHER_MASK["exact mask"] + "; ten seeds",
        **LENET,
    ),
    *(
        Row(
            "LeNet-5 FC1, MNIST",
            f"S=0.95, 1 bit, {name}",
            "lenet_masks",
            where | {"prune_rate": 0.95},
            OTHER_MASK[name],
            **LENET,
        )
        for where, name in MASKS[1:]
    ),
    *(
        Row(
            "AlexNet FC5+FC6, ImageNet",
            f"S=0.91, 1 bit, {name}, sizes alone",
            "alexnet.json",
            {"mask": mask},
            f"random Gaussian weights of the same shapes: no accuracy; {OTHER_MASK[name]}",
            **OF_ALEXNET,
            command=ALEXNET,
        )
        for (_, name), mask in zip(MASKS, ("exact", "lowrank", "xor"), strict=True)
    ),
    *(
        Row(
            "AlexNet FC5+FC6, ImageNet",
            f"S=0.91, 1 bit, {name}, sizes alone, a trained layer",
            "alexnet_real.json",
            {"mask": mask},
            f"another network's trained layer, 1024x18000, pruned at once: no accuracy; {OTHER_MASK[name]}",
            **OF_ALEXNET,
            command=REAL,
        )
        for (_, name), mask in zip(MASKS, ("exact", "lowrank", "xor"), strict=True)
    ),
    *(
        Row(
            "AlexNet FC5+FC6, ImageNet",
            f"S=0.91, 1 bit, {name}, a stand-in",
            "wide_fc",
            where | {"prune_rate": 0.91},
            f"4.2 M weights in two layers on Fashion-MNIST in place of AlexNet; {OTHER_MASK[name]}",
            **OF_ALEXNET,
        )
        for where, name in MASKS
    ),
    *(
        Row(
            "ResNet-32, CIFAR-10",
            f"S=0.70, 2 bits, {name}",
            "resnet32_paper",
            where,
            f"first and last layer stay floats; {OTHER_MASK[name]}",
            **RESNET,
        )
        for where, name in MASKS[:2]
    ),
    *(
        Row(
            "ResNet-32, CIFAR-10",
            f"S={rate:g}, {planes} bit{'s' * (planes > 1)}, XOR-coded mask",
            "resnet32_masks",
            {"prune_rate": rate, "n_planes": planes},
            f"another prune rate and number of bits; first and last layer stay floats; {OTHER_MASK['XOR-coded mask']}",
            **RESNET,
        )
        for planes, rates in ((2, (0.8, 0.9, 0.95)), (1, (0.7, 0.8, 0.9)))
        for rate in rates
    ),
    *(
        Row("LSTM, Penn Treebank", f"S=0.60, 2 bits, {name}", "lstm_paper", where, OTHER_MASK[name], **LSTM)
        for where, name in MASKS[:2]
    ),
    *(
        Row(
            "LSTM, Penn Treebank",
            f"S={rate:g}, {planes} bit{'s' * (planes > 1)}, XOR-coded mask",
            "lstm_masks",
            {"prune_rate": rate, "n_planes": planes},
            OTHER_MASK["XOR-coded mask"],
            **LSTM,
        )
        for rate, planes in ((0.6, 2), (0.6, 1), (0.8, 1))
    ),
)

RESNETS = {
    "resnet20": (0.9187, {1.0: 0.9044, 0.8: 0.8991, 0.6: 0.8916, 0.4: 0.8823}),
    "resnet32": (0.9233, {1.0: 0.9136, 0.8: 0.9120, 0.6: 0.9043, 0.4: 0.8961}),
}
SHAPES = {1.0: (10, 10), 0.8: (8, 10), 0.6: (6, 10), 0.4: (8, 20)}
"""The n_in and n_out of ours by bits; the experiments have n_in = 8, the others are asked for."""
FOLLOWER = (
    *(
        Row(
            "LeNet-5, all layers, MNIST",
            f"{n_in / 10:g} bits, slices of 10",
            "flexor_lenet",
            {"n_in": n_in},
            "code words searched in every step, not trained latent bits; images shifted, distilled; their float and .4 "
            "are a public reproduction's",
            total=r(n_in / 10),
            metric=r(0.9890) if n_in == 4 else None,
            dense=r(0.9930),
        )
        for n_in in (4, 6, 8)
    ),
    *(
        Row(
            f"ResNet-{model[6:]}, CIFAR-10",
            f"{bits:g} bits, {n_in} bits for {n_out} weights",
            f"{model}_trained",
            {"n_in": n_in, "n_out": n_out},
            "code words searched in every step, in place of slices of 20 with trained latent bits; another schedule; "
            "distilled",
            total=r(bits),
            metric=r(metric),
            dense=r(dense),
            command=""
            if n_in == 8
            else f"python scripts/train.py +experiment={model}_trained code.n_in={n_in} code.n_out={n_out}",
        )
        for model, (dense, metrics) in RESNETS.items()
        for bits, metric in metrics.items()
        for n_in, n_out in [SHAPES[bits]]
    ),
)

BEYOND = (
    *(
        Row(
            f"{name}, Penn Treebank",
            f"{8 / n_out:g} bits, trained code, slices of {n_out}",
            f"{model}_trained",
            {"n_out": n_out},
            "no published row",
            unit=PERPLEXITY,
        )
        for model, name in (("lstm", "LSTM"), ("transformer", "Transformer"))
        for n_out in (10, 20)
    ),
    *(
        Row(
            "Transformer, Penn Treebank",
            f"S=0.60, 2 bits, {name}",
            "transformer_paper",
            where,
            "no published row",
            unit=PERPLEXITY,
        )
        for where, name in MASKS[:2]
    ),
)

HOURS = {
    "wide_fc": 1,
    "resnet20_trained": 5,
    "resnet32_paper": 12,
    "resnet32_masks": 13,
    "resnet32_trained": 8,
    "lstm_paper": 2.5,
    "lstm_masks": 4,
    "lstm_trained": 2.5,
    "transformer_paper": 7,
    "transformer_trained": 6,
}
"""What an experiment takes on two cores: the time of a few steps, or of an epoch, times their number."""

TABLES = {
    "The source (arXiv 1905.10138)": SOURCE,
    "The follower, trained codes (arXiv 2009.04126)": FOLLOWER,
    "Beyond both": BEYOND,
}
