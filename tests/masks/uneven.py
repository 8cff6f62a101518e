"""What the tests of the approximate mask codecs share: scores like a trained layer's, the share of them kept."""

import numpy as np


def uneven_scores(shape, seed=0):
    """Magnitudes of Gaussians whose rows and columns differ in scale."""
    rng = np.random.default_rng(seed)
    scores = np.abs(rng.standard_normal(shape))
    for axis, n in enumerate(shape):
        scale = np.exp(0.4 * rng.standard_normal(n))
        scores *= scale.reshape([n if i == axis else 1 for i in range(len(shape))])
    return scores.astype(np.float32)


def kept_share(scores, mask):
    """The kept score over what exact pruning keeps with as many weights."""
    largest = np.sort(scores.ravel())[::-1][: int(mask.sum())]
    return float(scores[mask].sum(dtype=np.float64) / largest.sum(dtype=np.float64))


def fields(stream, width, n):
    """`n` fields of `width` bits of a stream, one Python integer at a time."""
    number = int.from_bytes(stream.tobytes(), "little")
    return [number >> width * i & ((1 << width) - 1) for i in range(n)]


def decode_blocks_by_the_book(streams, shape, number):
    """docs/format.md's decoder of masks drawn in blocks; `number(header, window, place)` is the codec's rule."""
    header = [*fields(streams["header"], 16, 5), fields(streams["header"][10:], 32, 1)[0]]
    n_in, step, row_groups, column_groups, threshold_bits, _ = header
    n_columns = shape[-1]
    n_rows = int(np.prod(shape)) // n_columns
    slots = {}
    for name, n, n_groups in (("rows", n_rows, row_groups), ("columns", n_columns, column_groups)):
        groups = fields(streams[name], (n_groups - 1).bit_length(), n)
        size = -(-n // n_groups)
        slots[name] = [(group, groups[:i].count(group), size) for i, group in enumerate(groups)]
    thresholds = fields(streams["thresholds"], threshold_bits, row_groups * column_groups)
    codes = int.from_bytes(streams["codes"].tobytes(), "little")
    mask = np.zeros((n_rows, n_columns), dtype=np.bool_)
    for i, (row_group, row, _) in enumerate(slots["rows"]):
        for j, (column_group, column, width) in enumerate(slots["columns"]):
            block, place = row * width + column, row_group * column_groups + column_group
            window = codes >> step * block & ((1 << n_in) - 1)
            mask[i, j] = number(header, window, place) + thresholds[place] + 1 >= 1 << threshold_bits
    return mask.reshape(shape)


def block_streams(shape, n_in, step, row_groups, column_groups, threshold_bits, seed):
    """Valid streams of a mask drawn in blocks, their bits from a generator that never changes."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    raw = np.random.PCG64(seed)
    height, width = -(-rows // row_groups), -(-columns // column_groups)

    def pack(values, width):
        number = sum(int(value) << width * i for i, value in enumerate(values))
        n_bytes = -(-len(values) * width // 8)
        return np.frombuffer(number.to_bytes(n_bytes, "little"), dtype=np.uint8)

    def groups(n, n_groups, size):
        order = np.argsort(raw.random_raw(n), kind="stable")
        return pack(order // size, (n_groups - 1).bit_length())

    return {
        "header": np.concatenate(
            [pack([n_in, step, row_groups, column_groups, threshold_bits], 16), pack([seed], 32)]
        ),
        "rows": groups(rows, row_groups, height),
        "columns": groups(columns, column_groups, width),
        "thresholds": pack(
            raw.random_raw(row_groups * column_groups) % (1 << threshold_bits), threshold_bits
        ),
        "codes": pack(raw.random_raw((height * width - 1) * step + n_in) % 2, 1),
    }
