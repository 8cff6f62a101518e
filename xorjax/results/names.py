"""Names for readers: the codecs' and the words of the page."""

from collections.abc import Iterable

import polars as pl

# What readers call a code and the mask codec that the mask beside it is in; `codec_name` has a word for all others.
# Figures give their marks in this order.
CODEC_NAMES: dict[tuple[str, str | None], str] = {
    ("dense", None): "dense 1-bit",
    ("signs", "bitmap"): "bitmap + signs",
    ("ans_signs", "ans"): "ternary ANS",
    ("signs", "csr5"): "5-bit gaps + signs",
    ("signs", "golomb"): "Golomb + signs",
    ("signs", "ans_rc"): "ANS mask + signs",
    ("ans_signs", "ans_rc"): "ANS mask + ANS signs",
    ("context_signs", "ans_rc"): "ANS mask + context signs",
    **{("signs", f"csr{width}"): f"{width}-bit gaps + signs" for width in (4, 6, 7, 8)},
}
CSR = "CSR + signs"
"""Of the widths of gaps the one that takes the fewest bits."""
CODE_NAMES = {"xor": "XOR code", "ans_signs": "ANS signs", "context_signs": "context signs"}
# Of an approximate mask, which no rival stores as its code does.
SAME_MASK = "same mask + signs"

# Examples of the datasets whole; a config may take fewer (data.n_validation).
VALIDATION_IMAGES = {"mnist": 5_000, "fashion_mnist": 5_000, "cifar10": 5_000}

MASK_NAMES = {
    "bitmap": "bitmap",
    "ans": "ANS, one density",
    "ans_rc": "ANS, row x column",
    "csr4": "4-bit gaps",
    "csr5": "5-bit gaps",
    "csr6": "6-bit gaps",
    "csr7": "7-bit gaps",
    "csr8": "8-bit gaps",
    "golomb": "Golomb",
    "lowrank": "low rank",
    "codebook": "codebook",
    "xor": "XOR network",
}
"""Of those that have one; `mask_name` has a word for all others."""

GLOSSARY = {
    "point": "one setting (prune rate, XOR shape, method, formats) and one seed",
    "prune rate S": "the fraction of a layer's weights that are removed, that is set to 0",
    "mask": "which weights are kept; storing it costs the index bits",
    "M": (
        "the matrix of the XOR network, needed to decode. A file holds the seed from which its reader draws M; a "
        "matrix that no seed gives is stored, and left out of totals"
    ),
    "care bit": "the sign of a kept weight; the sign of a removed weight may decode to anything",
    "slice": "n_out sign bits of a layer, consecutive or (interleaved) at equal distances, that share a code word",
    "code word": "the n_in bits stored for a slice; a fixed network of XOR gates makes n_out bits of them",
    "XOR shape": (
        "n_in and n_out of the XOR network, as n_in → n_out; from the least to the largest where layers or seeds have "
        "their own, in figures against n_out the mean"
    ),
    "patch": "a care bit that the code word gets wrong, stored by its position and flipped after decoding",
    "method": (
        "how code words are chosen. greedy, the paper's: care bits in order, a patch for each that contradicts those "
        "before it. minimum: the fewest patches that any code word leaves"
    ),
    "bounded slice": "a slice too large for the exact search of minimum: it may have more patches than it must",
    "patch format": (
        "how patches are stored. paper: counts and positions of fixed width. blocked: a width of the counts for each "
        "block of slices. care: positions numbered among the care bits. enumerative: a slice's positions as one "
        "number, the fewest bits"
    ),
    "value bits": "code words and patches; random signs need at least 1 - S a weight",
    "exact mask codec": (
        "stores any mask as it is. bitmap: a bit a weight. ANS, one density (ans): near the entropy of one density a "
        "layer. ANS, row x column (ans_rc): a density for every row and column. 4- to 8-bit gaps (csr4, csr5, "
        "csr6, csr7, csr8): so many bits for the distance to the next kept weight. Golomb (golomb): that distance in a "
        "Golomb code"
    ),
    "approximate mask codec": (
        "stores only masks of its own kind, of which pruning takes the one that keeps the most magnitude. low rank "
        "(lowrank): the Boolean product of two thin factors, the paper's. codebook: each block one of 2^k "
        "pseudo-random masks. XOR network (xor): the AND of bit planes that an XOR network makes of code words"
    ),
    "other codecs": (
        "ANS mask + signs: the mask as ANS, row x column stores it, then a bit for each kept sign. ANS mask + ANS "
        "signs: the kept signs entropy-coded at their share of pluses. ANS mask + context signs: entropy-coded at what "
        "the row, the column and neighbours have shown before. bitmap + signs, Golomb + signs: a bit for each kept "
        "sign, with these mask codecs. N-bit gaps + signs: likewise, which is compressed sparse rows; CSR + signs is "
        "that with the best N. ternary ANS: the mask at one density, and ANS signs. dense 1-bit: the sign of every "
        "weight, and no mask"
    ),
    "kept magnitude": (
        "the sum of |w| over the weights that a mask keeps, over the largest sum possible at its prune rate; 1 for an "
        "exact mask codec"
    ),
    "sign entropy, context entropy": (
        "how few bits the kept signs take if each is plus with the share of pluses, and under the model of the context "
        "signs; for even signs 1 - S a weight. A code that knows more of the signs may take fewer. Totals are with the "
        "mask and the scales as the point stores them"
    ),
    "H(S)": "the entropy of a random mask of prune rate S, in bits a weight: what an exact codec cannot beat on one",
    "scale": "a float by which the signs of a part of the layer are multiplied",
    "bits per weight": "8 times the bytes on disk over the weights of the layers, removed ones included",
}


def code_name(code: str, method: str | None = None) -> str:
    """What readers call a point's own code, by its search where it has one: "XOR code, minimum"."""
    return ", ".join(filter(None, (CODE_NAMES.get(code, code), method)))


def codec_name(code: str, mask_codec: str | None) -> str:
    """What readers call a rival: a code with the mask codec beside it."""
    own = code_name(code) if mask_codec is None else f"{mask_name(mask_codec)} + {code_name(code)}"
    return CODEC_NAMES.get((code, mask_codec), own)


def own_code(codes: Iterable[str]) -> str:
    """What readers call the points' own code, behind "the"."""
    found = sorted(set(codes))
    return code_name("xor") if found == ["xor"] else f"{' and '.join(found)} code"


def example(tasks: Iterable[str | None]) -> str:
    """What readers call one thing that is classified or predicted."""
    found = set(tasks)
    return (
        {"images": "image", "language": "word"}.get(str(*found), "example") if len(found) == 1 else "example"
    )


def approximate_masks(rows: pl.DataFrame) -> frozenset[str]:
    """The mask codecs that choose the mask, and with it the quantized model: by the registry, or as result rows say."""
    from xorjax.masks import MASK_CODECS, ApproximateCodec

    known = {id for id, codec in MASK_CODECS.items() if isinstance(codec, ApproximateCodec)}
    return frozenset(known | {*rows.filter(pl.col("kept_score") < 1)["mask_codec"].drop_nulls()})


def trained_codes() -> frozenset[str]:
    """The codes that a network is trained in: with them, and not after it, the quantized model is made."""
    from xorjax.codec import CODES

    return frozenset(id for id, code in CODES.items() if code.trained)


def mask_name(codec: str) -> str:
    """What readers call a mask codec."""
    return MASK_NAMES.get(codec, codec)


def model_name(variant: str) -> str:
    """A `model_variant` for readers: the approximate mask codec that may be in it by its name."""
    return ", ".join(MASK_NAMES.get(part, part) for part in variant.split(", "))
