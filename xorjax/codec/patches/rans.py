"""Range asymmetric numeral systems with 32-bit states and 16-bit words, such as a loop of uint32 can decode.

After Duda (arXiv 1311.2540). Symbols take turns among `n_states` states, so that as many decode at once: symbol i
belongs to state i mod n_states. A symbol is an interval [begin, begin + frequency) of [0, 2^16). To decode one:

    slot = x mod 2^16                        the symbol is the one whose interval holds slot
    x = frequency (x div 2^16) + slot - begin
    if x < 2^16:  x = 2^16 x + the next word

The states are 2^16 before the encoder, which goes backward, and so they are at the decoder's end.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import UInt8

SYMBOLS_PER_STATE = 4096
_LOW = 1 << 16


def n_states(n_symbols: int) -> int:
    """One state, and one more for every 4096 symbols."""
    return 1 + n_symbols // SYMBOLS_PER_STATE


def encode(intervals: Sequence[tuple[int, int]]) -> UInt8[np.ndarray, " bytes"]:
    """The final states as 32-bit words, then the 16-bit words in the decoder's order; little-endian."""
    n = n_states(len(intervals))
    states, words = [_LOW] * n, []
    for i in range(len(intervals) - 1, -1, -1):
        begin, frequency = intervals[i]
        x = states[i % n]
        if x >= frequency << 16:
            words.append(x & 0xFFFF)
            x >>= 16
        states[i % n] = (x // frequency << 16) + x % frequency + begin
    return np.concatenate(
        [np.array(states, "<u4").view(np.uint8), np.array(words[::-1], "<u2").view(np.uint8)]
    )


def decode(
    stream: UInt8[np.ndarray, " bytes"], n_symbols: int, find: Callable[[int, int], tuple[int, int]]
) -> int:
    """Decodes `n_symbols` symbols and returns the bytes that they took.

    `find(i, slot)` is told in turn which slot symbol i has, and gives its interval.

    Raises:
        ValueError: the stream ends before the symbols do, or does not end in the states that encoding begins with.
    """
    n = n_states(n_symbols)
    if len(stream) < 4 * n:
        raise ValueError(f"{len(stream)} bytes do not hold {n} states of 4 bytes")
    states = stream[: 4 * n].view("<u4").tolist()
    n_words = min((len(stream) - 4 * n) // 2, n_symbols)  # a symbol takes one at most
    words = stream[4 * n : 4 * n + 2 * n_words].view("<u2").tolist()
    taken = 0
    for i in range(n_symbols):
        x = states[i % n]
        slot = x & 0xFFFF
        begin, frequency = find(i, slot)
        x = frequency * (x >> 16) + slot - begin
        if x < _LOW:
            if taken == len(words):
                raise ValueError(f"{len(stream)} bytes end after symbol {i} of {n_symbols}")
            x = x << 16 | words[taken]
            taken += 1
        states[i % n] = x
    if any(x != _LOW for x in states):
        raise ValueError("the symbols do not end in the state that their encoder began with")
    return 4 * n + 2 * taken
