"""The approximate mask codecs of docs/format.md: streams and shape to the mask."""

from math import prod

import numpy as np


def bits_of(stream, *shape):
    return np.unpackbits(stream, count=prod(shape), bitorder="little").reshape(shape)


def numbers_of(stream, width, count):
    return bits_of(stream, count, width).astype(np.int64) @ (1 << np.arange(width))


def lowrank(streams, shape):
    rank, tile_rows, tile_columns = np.frombuffer(streams["header"].tobytes(), "<u4").tolist()
    mask = np.zeros((prod(shape[:-1]), shape[-1]), bool)
    rows, columns = (np.unpackbits(streams[name], bitorder="little") for name in ("rows", "columns"))
    for top in range(0, mask.shape[0], tile_rows):
        for left in range(0, mask.shape[1], tile_columns):
            tile = mask[top : top + tile_rows, left : left + tile_columns]
            n = rank * tile.shape[0], rank * tile.shape[1]
            for of_rows, of_columns in zip(
                rows[: n[0]].reshape(rank, -1), columns[: n[1]].reshape(rank, -1), strict=True
            ):
                tile |= np.outer(of_rows, of_columns) == 1
            rows, columns = rows[n[0] :], columns[n[1] :]
    return mask.reshape(shape)


def blocks(draw):
    def decode(streams, shape):
        header = streams["header"].tobytes()
        n_in, step, n_groups, n_column_groups, t = np.frombuffer(header[:10], "<u2").tolist()
        seed = int.from_bytes(header[10:], "little")
        rows, columns = prod(shape[:-1]), shape[-1]
        g = numbers_of(streams["rows"], (n_groups - 1).bit_length(), rows)
        h = numbers_of(streams["columns"], (n_column_groups - 1).bit_length(), columns)
        y, x = rank_in_group(g), rank_in_group(h)
        height, width = -(-rows // n_groups), -(-columns // n_column_groups)
        places = n_groups * n_column_groups
        codes = bits_of(streams["codes"], (height * width - 1) * step + n_in)
        windows = np.array([codes[i * step : i * step + n_in] for i in range(height * width)])
        threshold = numbers_of(streams["thresholds"], t, places)
        kept = draw(windows, places, t, seed) + threshold >= 2**t - 1
        return kept[np.add.outer(y * width, x), np.add.outer(g * n_column_groups, h)].reshape(shape)

    return decode


def rank_in_group(groups):
    return np.array([np.count_nonzero(groups[:i] == group) for i, group in enumerate(groups)])


def codebook(windows, places, t, seed):
    w = windows.astype(np.uint32) @ (1 << np.arange(windows.shape[1])).astype(np.uint32)
    offset = (2**16 * np.arange(places) + 0x9E3779B9 * seed) % 2**32
    v = np.add.outer(w, offset.astype(np.uint32)).astype(np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        v = (v ^ v >> np.uint32(shift)) * np.uint32(factor)
    return (v >> np.uint32(32 - t)).astype(np.int64)


def xor(windows, places, t, seed):
    n_in, source = windows.shape[1], np.random.PCG64(seed)
    while True:
        rows = [word % 2**n_in for word in source.random_raw(t * places).tolist()]
        if rank(rows) == n_in:
            break
    matrix = np.array([[row >> j & 1 for j in range(n_in)] for row in rows])
    bits = (windows.astype(np.int64) @ matrix.T % 2).reshape(-1, t, places)
    return (bits << np.arange(t)[::-1, None]).sum(axis=1)


def rank(rows):
    basis = {}
    for row in rows:
        while row and row.bit_length() in basis:
            row ^= basis[row.bit_length()]
        if row:
            basis[row.bit_length()] = row
    return len(basis)


FITTED = {"lowrank": lowrank, "codebook": blocks(codebook), "xor": blocks(xor)}
