"""The trained code of docs/format.md."""

import numpy as np


def trained(streams, code, shared, mask):
    by_rows, shape = code.get("slicing") == "inputs_last", mask.shape
    n_in, n_out, columns = code["n_in"], code["n_out"], shape[0 if by_rows else -1]
    rows, n_groups = matrix(n_in, n_out, code["seed"], code["taps"]), -(-(mask.size // columns) // n_out)
    fields = np.unpackbits(streams["codes"], count=n_groups * columns * n_in, bitorder="little")
    plane = np.zeros((n_groups * n_out, columns), bool)
    for s, field in enumerate(fields.reshape(-1, n_in)):
        word = sum(int(bit) << j for j, bit in enumerate(field))
        for i, row in enumerate(rows):
            plane[s // columns * n_out + i, s % columns] = (word & row).bit_count() % 2
    plane = plane[: mask.size // columns]
    return (plane.T if by_rows else plane).reshape(shape)


def matrix(n_in, n_out, seed, taps):
    stream = np.random.PCG64(seed)
    candidates = [c for c in range(1, 2**n_in) if taps in (None, c.bit_count())]
    while True:
        rows = []
        while len(rows) < n_out:
            keys = stream.random_raw(len(candidates)).tolist()
            rows += [c for _, c in sorted(zip(keys, candidates, strict=True))]
        if rank(rows[:n_out]) == rank(candidates):
            return rows[:n_out]


def rank(numbers):
    pivots = {}
    for number in numbers:
        while number:
            top = number.bit_length()
            if top not in pivots:
                pivots[top] = number
                break
            number ^= pivots[top]
    return len(pivots)
