"""The search for low-rank masks: a non-negative factorization cut at thresholds, then improved coordinate by
coordinate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16

_SLACK = 1e-4  # of all weights, by which the count may miss
_STEPS = 60
_SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
_SOFT = 0.7
_SWEEPS = 30
_MAX_FLIPS = 400
_MAX_FLIP_WORK = 2**36


@dataclass(frozen=True, eq=False)
class Factors:
    """The factors of one tile."""

    rows: Bool[np.ndarray, "m rank"]
    columns: Bool[np.ndarray, "rank n"]

    def cover(self) -> Float32[np.ndarray, "m n"]:
        """How many factors keep each weight; the mask is where one does."""
        # Sums of at most `rank` ones: exact in float32, in any order.
        return self.rows.astype(np.float32) @ self.columns.astype(np.float32)


def least_of_largest(tiles: list[Float32[np.ndarray, "_ _"]], n_keep: int) -> float:
    """The least of the `n_keep` largest scores."""
    scores = np.concatenate([tile.ravel() for tile in tiles])
    return float(np.partition(scores, scores.size - n_keep)[scores.size - n_keep])


def threshold_factors(
    tiles: list[Float32[np.ndarray, "_ _"]], rank: int, n_keep: int, seed: int, soft: bool = False
) -> list[Factors]:
    """The source's method: the factors of each tile cut at two thresholds, the first scanned, the second set by
    the tile's part of the `n_keep` largest scores; the pair that keeps the most score.

    With `soft` the factorization sees only what exceeds 0.7 times the least of the largest.
    """
    least = least_of_largest(tiles, n_keep)
    found = []
    for tile in tiles:
        seen = np.maximum(tile - np.float32(_SOFT * least), 0) if soft else tile
        rows, columns = _non_negative_factors(seen, rank, seed)
        found.append(_cut(tile, rows, columns, max(1, int((tile >= least).sum()))))
    return found


def _non_negative_factors(
    scores: Float32[np.ndarray, "m n"], rank: int, seed: int
) -> tuple[Float32[np.ndarray, "m rank"], Float32[np.ndarray, "rank n"]]:
    """Factors by multiplicative updates (Lee and Seung, 2001), each pair of equal norm."""
    raw = np.random.PCG64(seed).random_raw((scores.shape[0] + scores.shape[1]) * rank)
    start = ((np.asarray(raw) >> np.uint64(40)) / 2**24 + 0.01).astype(np.float32)
    start *= np.float32(2 * np.sqrt(scores.mean() / rank) + 1e-12)
    rows = start[: scores.shape[0] * rank].reshape(-1, rank)
    columns = start[scores.shape[0] * rank :].reshape(rank, -1)
    tiny = np.float32(1e-12)
    for _ in range(_STEPS):
        rows = rows * (scores @ columns.T) / (rows @ (columns @ columns.T) + tiny)
        columns = columns * (rows.T @ scores) / (rows.T @ rows @ columns + tiny)
    balance = np.sqrt(
        (np.linalg.norm(columns, axis=1) + tiny) / (np.linalg.norm(rows, axis=0) + tiny)
    ).astype(np.float32)
    return rows * balance, columns / balance[:, None]


def _cut(
    scores: Float32[np.ndarray, "m n"],
    rows: Float32[np.ndarray, "m rank"],
    columns: Float32[np.ndarray, "rank n"],
    n_keep: int,
) -> Factors:
    by_size = np.sort(columns, axis=None)[::-1]
    best, most = None, -1.0
    for share in _SHARES:
        n_rows = max(1, round(share * rows.size))
        left = rows >= np.partition(rows, rows.size - n_rows, axis=None)[rows.size - n_rows]
        low, high = 1, columns.size
        while low < high:  # the largest count of ones in the columns that keeps no more than it may
            middle = (low + high + 1) // 2
            n_kept = np.count_nonzero(Factors(left, columns >= by_size[middle - 1]).cover())
            low, high = (middle, high) if n_kept <= n_keep else (low, middle - 1)
        factors = Factors(left, columns >= by_size[low - 1])
        kept = factors.cover() > 0
        score = float(scores[kept].sum()) if np.count_nonzero(kept) <= n_keep else 0.0
        if score > most:
            best, most = factors, score
    assert best is not None
    return best


def kept_score(tiles: list[Float32[np.ndarray, "_ _"]], factors: list[Factors]) -> float:
    kept = (tile[each.cover() > 0] for tile, each in zip(tiles, factors, strict=True))
    return sum(float(scores.sum(dtype=np.float64)) for scores in kept)


class FactorSearch:
    """Local search over the factors of all tiles, at one price for a kept weight."""

    def __init__(
        self, tiles: list[Float32[np.ndarray, "_ _"]], factors: list[Factors], n_keep: int, price: float
    ):
        self.tiles = [_Tile(tile, each) for tile, each in zip(tiles, factors, strict=True)]
        self.n_keep, self.price = n_keep, price
        self.slack = max(0.5, _SLACK * sum(tile.size for tile in tiles))

    @property
    def count(self) -> int:
        return sum(tile.count for tile in self.tiles)

    @property
    def score(self) -> float:
        """The kept score, over what the count exceeds or misses."""
        return sum(tile.kept_value(0.0) for tile in self.tiles)

    def run(self, redraws: int) -> list[Factors]:
        """The factors that keep the most score at the count wanted."""
        self.settle(_SWEEPS)
        for tile in self.tiles:
            for _ in range(redraws):
                if not tile.redraw(self.price):
                    break
        best, score = self.factors(), -1.0
        for _ in range(_SWEEPS):
            self.settle(1)
            if abs(self.count - self.n_keep) <= self.slack and self.score > score:
                best, score = self.factors(), self.score
        if score < 0:
            self.flip_to_count()
            best = self.factors()
        return best

    def flip_to_count(self) -> None:
        """Coordinates flipped one at a time, the cheapest by score for each weight first, until the count is met
        or no flip brings it nearer.
        """
        work = 8 * sum(tile.scores.size * tile.rows.shape[1] for tile in self.tiles)
        for _ in range(min(_MAX_FLIPS, max(1, _MAX_FLIP_WORK // work))):
            excess = self.count - self.n_keep
            if abs(excess) <= self.slack:
                return
            offers = [offer for tile in self.tiles for offer in tile.offers(excess)]
            if not offers:
                return
            _, flip = min(offers, key=lambda offer: offer[0])
            flip()

    def settle(self, sweeps: int) -> None:
        for _ in range(sweeps):
            for tile in self.tiles:
                tile.sweep(self.price)
            self.price *= float(np.clip((max(self.count, 1) / self.n_keep) ** 0.25, 0.9, 1.1))

    def factors(self) -> list[Factors]:
        return [Factors(tile.rows.copy(), tile.columns.copy()) for tile in self.tiles]


class _Tile:
    def __init__(self, scores: Float32[np.ndarray, "m n"], factors: Factors):
        self.scores = scores
        self.rows, self.columns = factors.rows.copy(), factors.columns.copy()
        self.cover: Int16[np.ndarray, "m n"] = factors.cover().astype(np.int16)

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.cover))

    def kept_value(self, price: float) -> float:
        kept = self.cover > 0
        return float(self.scores[kept].sum(dtype=np.float64)) - price * int(kept.sum())

    def sweep(self, price: float) -> None:
        """Every factor's rows, then its columns, set to what is best given all else."""
        values = self.scores - np.float32(price)
        _sweep(values, self.rows, self.columns, self.cover)
        _sweep(values.T, self.columns.T, self.rows.T, self.cover.T)

    def offers(self, excess: int) -> Iterator[tuple[float, Callable[[], None]]]:
        """The best flip of a row's and of a column's coordinate that brings the count nearer: what it costs for
        each weight, and how to do it.
        """
        touched = (self.cover == (1 if excess > 0 else 0)).astype(np.float32)
        for scores, near, far, there, cover in (
            (self.scores, self.rows, self.columns, touched, self.cover),
            (self.scores.T, self.columns.T, self.rows.T, touched.T, self.cover.T),
        ):
            other = far.T.astype(np.float32)
            counts = there @ other * (near == (excess > 0))
            usable = (counts > 0) & (counts < 2 * abs(excess))
            if not usable.any():
                continue
            costs = (there * scores) @ other / np.maximum(counts, 1) * np.float32(np.sign(excess))
            i, k = divmod(int(np.where(usable, costs, np.inf).argmin()), near.shape[1])

            def flip(near=near, far=far, cover=cover, i=i, k=k) -> None:
                cover[i] += far[k] * np.int16(-1 if near[i, k] else 1)
                near[i, k] = not near[i, k]

            yield float(costs[i, k]), flip

    def redraw(self, price: float) -> bool:
        """The factor that serves least is replaced by the best found for what no other keeps.

        Where that does not help, all is as it was, and the answer is False.
        """
        before = self.rows.copy(), self.columns.copy(), self.cover.copy()
        value = self.kept_value(price)
        values = self.scores - np.float32(price)
        alone = np.where(self.cover == 1, values, np.float32(0))
        worth = ((self.rows.T.astype(np.float32) @ alone) * self.columns).sum(axis=1)
        weakest = int(worth.argmin())
        self.cover -= np.outer(self.rows[:, weakest], self.columns[weakest]).astype(np.int16)
        free = np.where(self.cover == 0, values, np.float32(0))
        row = free[int(np.maximum(free, 0).sum(axis=1).argmax())]
        chosen = row > 0
        for _ in range(6):
            left = free[:, chosen].sum(axis=1) > 0
            chosen = free[left].sum(axis=0) > 0
        self.rows[:, weakest], self.columns[weakest] = left, chosen
        self.cover += np.outer(left, chosen).astype(np.int16)
        for _ in range(2):
            self.sweep(price)
        if self.kept_value(price) > value:
            return True
        self.rows, self.columns, self.cover = before
        return False


def _sweep(
    values: Float32[np.ndarray, "m n"],
    rows: Bool[np.ndarray, "m rank"],
    columns: Bool[np.ndarray, "rank n"],
    cover: Int16[np.ndarray, "m n"],
) -> None:
    for k in range(rows.shape[1]):
        places = np.flatnonzero(columns[k])
        others = cover[:, places] - rows[:, k : k + 1]
        gain = np.where(others == 0, values[:, places], np.float32(0)).sum(axis=1)
        rows[:, k] = gain > 0
        cover[:, places] = others + rows[:, k : k + 1]
