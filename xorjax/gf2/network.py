"""The XOR network: a fixed matrix over GF(2) that turns a code word into the bits of a slice."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Integer, UInt8, UInt64

from xorjax.errors import UserError
from xorjax.gf2.pack import pack_bits

if TYPE_CHECKING:
    import galois

MAX_N_IN = 128
_MAX_DRAWS = 1000
_KEYS = 2**16  # drawn at a time where rows have taps: they take 64 bits for each bit of the matrix


class NetworkError(UserError, ValueError):
    """A network that cannot be."""


@dataclass(frozen=True, eq=False)
class XorNetwork:
    """`n_out` XOR gates over `n_in` bits. Two networks are equal when their matrices are.

    Attributes:
        matrix: M. Row i holds a 1 in column j when bit j of the code word enters output bit i.
        seed: what `random` drew the matrix from; None for a given matrix.
        taps: the ones in each row, where `random` was told; None otherwise.
    """

    matrix: UInt8[np.ndarray, "n_out n_in"]
    seed: int | None = None
    taps: int | None = None

    @classmethod
    def random(
        cls, n_in: int, n_out: int, seed: int = 0, taps: int | None = None, max_draws: int = _MAX_DRAWS
    ) -> "XorNetwork":
        """Draws a matrix of full column rank, uniformly among those, the same on every machine.

        The stream is PCG64's raw 64-bit output, which NumPy keeps fixed across versions; matrices are drawn
        from it until one has full rank. With `taps=k` a row is a uniform choice of k columns. An even k
        leaves the sum of all columns zero, so the rank is n_in - 1 at most (and 1 if k = n_in); that rank is
        then what is drawn for, and one bit of each code word is spent without effect.

        Raises:
            NetworkError: `n_in`, `n_out`, `seed` or `taps` is out of range, or none of `max_draws` draws reaches the
                rank (few taps and n_out close to n_in).
        """
        _check_shape(n_in, n_out)
        if seed < 0:
            raise NetworkError(f"seed must be 0 or more, not {seed}")
        if taps is not None and not 1 <= taps <= n_in:
            raise NetworkError(f"taps must be 1 to n_in={n_in} ones a row, not {taps}")
        wanted_rank = n_in
        if taps is not None:
            wanted_rank = 1 if taps == n_in else n_in - (taps % 2 == 0)
        source = np.random.PCG64(seed)
        for _ in range(max_draws):
            net = cls(_draw(source, n_in, n_out, taps), seed, taps)
            if _reaches(net.rows, wanted_rank):
                return net
        raise NetworkError(
            f"none of {max_draws} draws of a {n_out}x{n_in} matrix with taps={taps} has rank {wanted_rank}; "
            "more taps or a larger n_out would"
        )

    @classmethod
    def from_matrix(cls, matrix: Integer[np.ndarray, "n_out n_in"]) -> "XorNetwork":
        """Takes a matrix of zeros and ones as it is, whatever its rank.

        Raises:
            NetworkError: the matrix has the wrong shape or other entries.
        """
        matrix = np.asarray(matrix)
        if matrix.ndim != 2:
            raise NetworkError(f"an XOR network's matrix has 2 dimensions, not {matrix.ndim}")
        n_out, n_in = matrix.shape
        _check_shape(n_in, n_out)
        if not np.isin(matrix, (0, 1)).all():
            raise NetworkError("an XOR network's matrix holds zeros and ones only")
        return cls(matrix.astype(np.uint8))

    def __post_init__(self):
        self.matrix.setflags(write=False)

    def __repr__(self) -> str:
        drawn = f"sha256={self.sha256[:8]}..." if self.seed is None else f"seed={self.seed}"
        taps = "" if self.taps is None else f", taps={self.taps}"
        return f"XorNetwork(n_in={self.n_in}, n_out={self.n_out}, {drawn}{taps})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XorNetwork) and np.array_equal(self.matrix, other.matrix)

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def n_in(self) -> int:
        return self.matrix.shape[1]

    @property
    def n_out(self) -> int:
        return self.matrix.shape[0]

    @property
    def code_words(self) -> int:
        """The 64-bit words that hold a code word."""
        return -(-self.n_in // 64)

    @cached_property
    def rows(self) -> UInt64[np.ndarray, "n_out code_words"]:
        """The rows packed: bit j % 64 of word j // 64 of a row is column j. A row has ceil(n_in / 64) words."""
        return pack_bits(self.matrix, np.uint64)

    @cached_property
    def sha256(self) -> str:
        """SHA-256, in hex, of "{n_out}x{n_in}:" and the packed rows as little-endian 64-bit words, row by row."""
        header = f"{self.n_out}x{self.n_in}:".encode()
        return hashlib.sha256(header + self.rows.astype("<u8").tobytes()).hexdigest()

    @cached_property
    def rank(self) -> int:
        """Rank over GF(2), by galois."""
        return int(np.linalg.matrix_rank(self.as_galois()))

    def as_galois(self) -> "galois.FieldArray":
        """The matrix as a galois GF(2) array, a copy."""
        from xorjax.gf2.compiled import import_galois  # 2 s, which decoding need not wait for

        return import_galois().GF2(self.matrix)


def _draw(
    source: np.random.PCG64, n_in: int, n_out: int, taps: int | None
) -> UInt8[np.ndarray, "n_out n_in"]:
    if taps is None:
        # A row is the low bits of as many raw words as hold it, the first word being columns 0 to 63.
        words = np.asarray(source.random_raw(n_out * -(-n_in // 64)), dtype="<u8").reshape(n_out, -1)
        return np.unpackbits(words.view(np.uint8), axis=1, count=n_in, bitorder="little")
    # The columns of the k smallest of n_in random words are a uniform choice of k columns.
    matrix, step = np.zeros((n_out, n_in), dtype=np.uint8), max(1, _KEYS // n_in)
    for begin in range(0, n_out, step):
        rows = matrix[begin : begin + step]
        keys = np.asarray(source.random_raw(rows.size), dtype=np.uint64).reshape(rows.shape)
        columns = np.argsort(keys, axis=1, kind="stable")[:, :taps]
        np.put_along_axis(rows, columns, 1, axis=1)
    return matrix


def _reaches(rows: UInt64[np.ndarray, "n_out code_words"], rank: int) -> bool:
    """Whether the packed rows have this rank over GF(2), which they cannot exceed; looks at no more than it needs."""
    basis: dict[int, int] = {}
    for words in rows:
        row = int.from_bytes(words.astype("<u8").tobytes(), "little")
        while row and (other := basis.get(row.bit_length())):
            row ^= other
        if row:
            basis[row.bit_length()] = row
        if len(basis) == rank:
            return True
    return False


def _check_shape(n_in: int, n_out: int) -> None:
    if not 1 <= n_in <= MAX_N_IN:
        raise NetworkError(f"n_in must be 1 to {MAX_N_IN}, not {n_in}")
    if n_out <= n_in:
        raise NetworkError(f"n_out must be greater than n_in={n_in}, not {n_out}")
