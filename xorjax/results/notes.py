"""The sentences without which the summary could be misread."""

from xorjax.results.best import TIE, Best
from xorjax.results.caps import listed
from xorjax.results.losses import caption
from xorjax.results.names import CSR, SAME_MASK, code_name, mask_name, own_code, trained_codes

# So many points with bounded slices are named; the table of all rows has the others.
NAMED_POINTS = 6


def best_of_each(summary: list[Best]) -> str:
    """The heading of the best points."""
    kind = "XOR point" if all(best.code == "xor" for best in summary) else "point"
    return f"Best {kind} of each prune rate"


def verdict(summary: list[Best]) -> str:
    """Which codec is smallest, and how far the points' own is from it."""
    rates: dict[str, list[str]] = {}
    for best in summary:
        rates.setdefault(best.smallest, []).append(f"{best.prune_rate:g}")
    if len(rates) > 1:
        winners = "; ".join(f"{name} at S = {listed(where)}" for name, where in rates.items())
    else:
        winners = next(iter(rates)) + (" at every prune rate" if len(summary) > 1 else "")
    if any(TIE in name for name in rates):
        found = f"The smallest codecs are {winners}, tied in the digits shown where two are named."
    else:
        found = f"The smallest codec is {'the ' if code_name('xor') in rates else ''}{winners}."
    more = [
        f"{100 * (best.bits_per_weight / min(best.sizes.values()) - 1):.1f} % more at S = {best.prune_rate:g}"
        for best in summary
        if best.name not in best.smallest.split(TIE)
    ]
    return f"{found} The {own_code(best.code for best in summary)} takes {listed(more)}." if more else found


def notes(summary: list[Best]) -> list[str]:
    """How to read the summary, what it leaves out, and what is not as it should be."""
    metric = summary[0].metric
    seeds = sorted({best.n_seeds for best in summary})
    over = " to ".join(str(n) for n in dict.fromkeys((seeds[0], seeds[-1])))
    means = f"Means over {over} seeds, ± the sample standard deviation."
    lines = [
        ("One seed a line." if seeds == [1] else means)
        + " Bits are per weight of the layers, pruned ones included.",
        *_lossless(summary),
        caption([(best.prune_rate, best.loss) for best in summary], metric),
    ]
    masks = [
        f"{mask_name(best.mask_codec or '')} at S = {best.prune_rate:g} ({best.kept_score:.3f})"
        for best in summary
        if best.approximate
    ]
    if masks:
        lines.append(
            "Approximate mask codecs, with the share that they keep of the score that exact pruning would keep: "
            f"{listed(masks)}. There the other codecs store the same masks exactly, but for the {SAME_MASK}: the "
            "mask as the point stores it, and the kept signs as they are."
        )
    if any(best.file_bits_per_parameter is not None for best in summary):
        lines.append(
            "The whole file is that of all layers, coded or not, with its header; bits per parameter are over all "
            "values that it holds. A file models/S*.safetensors need not be the smallest of its prune rate."
        )
    if gaps := [
        f"{baseline.best.removesuffix(' + signs')} at S = {best.prune_rate:g}"
        for best in summary
        for baseline in best.baselines
        if baseline.name == CSR
    ]:
        lines.append(f"{CSR}: relative indices of the width that takes the fewest bits, {listed(gaps)}.")
    if any(best.at_entropy for best in summary):
        lines.append(
            "Sign entropy: what the point would take if its kept signs took no more than that, which is 1 - S only "
            "where as many are plus as minus; context entropy: given what came before in row, column and neighbours."
        )
    if not all(best.is_close for best in summary):
        most = "most accurate" if metric.name == "accuracy" else "best"
        lines.append(
            f"* no point within {metric.difference(metric.tolerance)} of the reference on the validation split: the "
            f"{most} one there is shown."
        )
    return [*lines, *_bounded(summary)]


def _lossless(summary: list[Best]) -> list[str]:
    """What the metric depends on, and what it does not."""
    name, trained = summary[0].metric.name, trained_codes()
    others = [best for best in summary if best.code not in trained]
    has_shape = any(best.n_in is not None for best in others)
    of_coding = "XOR shape, method, patch format" if has_shape else "the code"
    lines = []
    if others:
        lines.append(
            f"{name.capitalize()} does not depend on {of_coding} or an exact mask codec: decoding is lossless, so only "
            "the bits differ."
        )
    if own := sorted({best.code for best in summary} & trained):
        lines.append(f"Networks are trained in the code {listed(own)}: there {name} depends on n_in → n_out.")
    return lines


def _bounded(summary: list[Best]) -> list[str]:
    counts = [entry for best in summary for entry in best.bounded]
    if not counts:
        return []
    total = sum(n for _, n in counts)
    named = [f"{n:,} in {point}" for point, n in counts[:NAMED_POINTS]]
    if len(counts) > NAMED_POINTS:
        others = sum(n for _, n in counts[NAMED_POINTS:])
        named.append(f"{others:,} in {len(counts) - NAMED_POINTS:,} other points, n_bounded of all rows")
    return [
        f"The search for the fewest patches was bounded in {total:,} slice{'' if total == 1 else 's'}, which may have "
        f"more patches than needed: {'; '.join(named)}."
    ]
