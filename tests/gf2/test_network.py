import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.errors import UserError
from xorjax.gf2.network import NetworkError, XorNetwork


@pytest.mark.parametrize(
    ("n_in", "n_out", "seed", "taps", "sha256"),
    [
        (20, 320, 0, None, "afef32deb0d460407d1bedcdc90e7ce61e8df6abf4ed901a3ce68cb0ab4aa980"),
        (20, 320, 1, None, "108b3f38dbb3ec08184c03828e14ca38686bdda3c21ff7e1eeae792273a7acaa"),
        (64, 640, 0, None, "ce3c90c0e70c3564c944551dc25a95f5588daee379abacb5b7b59100c714eac7"),
        (1, 2, 0, None, "4ea3b169d6cf3af1027c35f50929756f1615750ba5ce75725f31045eb5f8d358"),
        (128, 1280, 0, None, "210faadc18c0e51a00bcc2cd26afe76e84d639ed58f02986a5b689e4b88171d6"),
        (65, 80, 7, 3, "b87374dbe861072b299926bc58799e03e1e6ff8becf0d81fe03ea544a4a035a0"),
        (8, 10, 0, 2, "34dbf4982469fead09814e5577ecbd6c79c6af77e02edda4e7fa89d7b90f3e12"),
        (20, 200, 0, 3, "cc0a006f3557e817795729491936805d6e48886c86c88f5016862d32cdc82267"),
    ],
)
def test_a_seed_gives_the_same_matrix_on_every_machine(n_in, n_out, seed, taps, sha256):
    assert XorNetwork.random(n_in, n_out, seed, taps).sha256 == sha256


def test_a_row_is_the_low_bits_of_the_raw_words_that_hold_it():
    # The first two 64-bit words of PCG64 seeded with 0.
    words = [0xA30FEBCFD9C2825F, 0x4510BDF882D9D721]
    assert XorNetwork.random(20, 320, seed=0).rows[:2].tolist() == [[word & 0xFFFFF] for word in words]
    rows = XorNetwork.random(70, 320, seed=0).rows
    assert rows[0].tolist() == [words[0], words[1] & 0x3F]


@given(st.integers(1, 128), st.integers(1, 40), st.integers(0, 2**32))
def test_random_has_full_column_rank(n_in, more, seed):
    net = XorNetwork.random(n_in, n_in + more, seed)
    assert (net.n_out, net.n_in) == net.matrix.shape == (n_in + more, n_in)
    assert net.rank == n_in
    assert net.seed == seed


@given(st.integers(1, 128), st.integers(1, 40), st.integers(0, 2**32))
def test_the_first_matrix_of_full_rank_is_the_one(n_in, more, seed):
    """As docs/format.md has it, with galois's rank."""
    source, n_words = np.random.PCG64(seed), -(-n_in // 64)
    while True:
        words = np.asarray(source.random_raw((n_in + more) * n_words), "<u8").reshape(-1, n_words)
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :n_in]
        if (drawn := XorNetwork.from_matrix(bits)).rank == n_in:
            break
    assert XorNetwork.random(n_in, n_in + more, seed) == drawn


def test_no_more_draws_than_allowed():
    assert XorNetwork.random(20, 21, seed=2).rank == 20
    with pytest.raises(NetworkError, match="none of 1 draws of a 21x20 matrix with taps=None has rank 20"):
        XorNetwork.random(20, 21, seed=2, max_draws=1)


@pytest.mark.parametrize(
    ("n_in", "taps", "rank"), [(20, 1, 20), (20, 2, 19), (20, 3, 20), (20, 6, 19), (6, 6, 1)]
)
def test_taps_are_the_ones_of_a_row(n_in, taps, rank):
    net = XorNetwork.random(n_in, 200, taps=taps)
    assert (net.matrix.sum(axis=1) == taps).all()
    assert net.rank == rank
    assert net.taps == taps


def test_taps_reach_every_column_alike():
    ones = XorNetwork.random(16, 4000, taps=4).matrix.sum(axis=0, dtype=int)
    assert abs(ones - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_rows_hold_column_j_in_bit_j():
    matrix = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 0]])
    net = XorNetwork.from_matrix(matrix)
    assert net.rows.dtype == np.uint64
    assert net.rows.tolist() == [[1], [6], [3], [0]]
    assert net.matrix.dtype == np.uint8
    wide = np.zeros((80, 70), dtype=int)
    wide[3, [0, 63, 64, 69]] = 1
    assert XorNetwork.from_matrix(wide).rows[3].tolist() == [1 | 1 << 63, 1 | 1 << 5]


def test_rank_of_a_given_matrix():
    net = XorNetwork.from_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 0]]))
    assert net.rank == 2


def test_networks_are_equal_when_their_matrices_are():
    net = XorNetwork.random(8, 20, seed=3)
    again = XorNetwork.from_matrix(net.matrix)
    assert net == again
    assert hash(net) == hash(again)
    assert net != XorNetwork.random(8, 20, seed=4)
    assert net != "a network"


def test_a_network_is_told_by_its_settings_or_its_hash():
    net = XorNetwork.random(8, 20, seed=3, taps=3)
    assert repr(net) == "XorNetwork(n_in=8, n_out=20, seed=3, taps=3)"
    given = XorNetwork.from_matrix(net.matrix)
    assert repr(given) == f"XorNetwork(n_in=8, n_out=20, sha256={net.sha256[:8]}...)"


def test_what_cannot_be_is_the_user_s():
    assert issubclass(NetworkError, UserError)


def test_the_matrix_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        XorNetwork.random(8, 20).matrix[0, 0] = 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_in": 0, "n_out": 5}, "n_in must be 1 to 128, not 0"),
        ({"n_in": 129, "n_out": 200}, "n_in must be 1 to 128, not 129"),
        ({"n_in": 20, "n_out": 20}, "n_out must be greater than n_in=20, not 20"),
        ({"n_in": 20, "n_out": 30, "seed": -1}, "seed must be 0 or more, not -1"),
        ({"n_in": 20, "n_out": 30, "taps": 0}, "taps must be 1 to n_in=20 ones a row, not 0"),
        ({"n_in": 20, "n_out": 30, "taps": 21}, "taps must be 1 to n_in=20 ones a row, not 21"),
        (
            {"n_in": 16, "n_out": 17, "taps": 1},
            "none of 1000 draws of a 17x16 matrix with taps=1 has rank 16",
        ),
    ],
)
def test_random_refuses(arguments, message):
    with pytest.raises(NetworkError, match=message):
        XorNetwork.random(**arguments)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 3), dtype=int), "n_out must be greater than n_in=3, not 3"),
        (np.array([[2], [1]]), "zeros and ones only"),
    ],
)
def test_from_matrix_refuses(matrix, message):
    with pytest.raises(NetworkError, match=message):
        XorNetwork.from_matrix(matrix)
