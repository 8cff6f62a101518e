"""Value bits of the XOR code on real planes where it tries to use that signs are uneven (docs/method.md).

    python benchmarks/skewed_signs.py runs/quantize/lenet5-mnist-seed*

For each layer: the entropies of the signs and the codes near them, the XOR code, the XOR code with a bit more in each
code word, with slices inverted, and with guessed signs left out, by the threshold that is best; bits a weight.
"""

import argparse
from pathlib import Path

from safetensors.numpy import load_file

from xorjax.codec import CODES
from xorjax.codec.bounds import context_entropy, sign_entropy
from xorjax.codec.xor import XorCode
from xorjax.studies.skew import by_contexts, by_rows, guessed, inverted, plain

THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)


def layers(directory: Path):
    """Path, plane and mask of each plane of each layer of a quantized model."""
    arrays = load_file(directory / "arrays.safetensors")
    for name, planes in arrays.items():
        if name.startswith("planes/"):
            for plane in planes.astype(bool):
                yield name, plane, arrays[name.replace("planes/", "masks/", 1)].astype(bool)


def study(plane, mask, n_in: int) -> dict[str, str]:
    code = XorCode(n_in=n_in, patch_format="enumerative")
    bits = {
        "sign entropy": sign_entropy(plane[None], mask) * plane.size,
        "with contexts": context_entropy(plane[None], mask) * plane.size,
        **{
            id: sum(CODES[id]().encode(plane[None], mask).bits.values())
            for id in ("ans_signs", "context_signs")
        },
        "xor": plain(plane, mask, code),
        f"n_in {n_in + 1}": plain(plane, mask, XorCode(n_in=n_in + 1, patch_format="enumerative")),
        "inverted": inverted(plane, mask, code),
    }
    told = {name: f"{n / plane.size:.4f}" for name, n in bits.items()}
    for name, guess in (("contexts", by_contexts(plane, mask)), ("rows", by_rows(plane, mask))):
        tried = [(guessed(plane, mask, code, guess, t), t) for t in THRESHOLDS]
        for price in ("by_slice", "as_set"):
            best, threshold = min(tried, key=lambda pair: getattr(pair[0], price))
            told[f"guessed by {name}, {price}"] = (
                f"{getattr(best, price) / plane.size:.4f} (below {threshold}: {best.share:.2f}, wrong {best.wrong:.2f})"
            )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, help="directories of quantized models")
    parser.add_argument("--n-in", type=int, nargs="+", default=[20, 64])
    arguments = parser.parse_args()
    for directory in arguments.models:
        for name, plane, mask in layers(directory):
            for n_in in arguments.n_in:
                print(f"{directory.name} {name} n_in {n_in}")
                for what, value in study(plane, mask, n_in).items():
                    print(f"    {what:32} {value}")


if __name__ == "__main__":
    main()
