"""all-MiniLM-L6-v2 in NumPy: WordPiece, six encoder layers, mean of the tokens; a sentence at a time.

The sentences are forty of the benchmark's own: PAIRS says the same thing twice, in other words. The network as it was
published finds for 39 of the 40 that, of all others, its own paraphrase is nearest.
"""

import math
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import numpy as np

Weights = Mapping[str, np.ndarray]

N_LAYERS, N_HEADS = 6, 12
MATRICES = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
# What the quickstart of sentence-transformers prints for this network: the similarities of these three sentences.
QUICKSTART = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
QUICKSTART_SIMILARITIES = (0.6660, 0.1046, 0.1411)

PAIRS = (
    ("The train to the capital was cancelled this morning.", "No early rail service ran to the main city."),
    ("She finished the marathon in under three hours.", "It took her less than 180 minutes to run 42 km."),
    ("Add a pinch of salt before the water boils.", "Season the pot while it is still heating up."),
    ("My laptop battery dies after an hour.", "The notebook computer has to be charged very often."),
    ("The court found the company guilty of fraud.", "Judges ruled that the firm had cheated investors."),
    ("Our baby would not sleep at all last night.", "The infant kept us awake until dawn."),
    ("A heavy storm knocked out power in the village.", "Strong winds left the small town without electricity."),
    ("He plays the violin in an orchestra.", "He is a musician with a symphony, on a string instrument."),
    ("The vaccine protects children against measles.", "Kids who get the shot do not catch that disease."),
    ("House prices in the suburbs keep rising.", "Buying a home outside the centre costs more each year."),
    ("The goalkeeper saved a penalty in the last minute.", "A spot kick was stopped just before full time."),
    ("Astronomers discovered a planet around a nearby star.", "Scientists found a new world beyond our sun."),
    ("The library closes early on Fridays.", "You cannot borrow books late at the end of the week."),
    ("Bees are disappearing because of pesticides.", "Farm chemicals are killing pollinating insects."),
    ("I forgot my password and cannot log in.", "The account will not let me sign on without the code."),
    ("The chef opened a second restaurant by the harbour.", "A cook now runs another eatery near the port."),
    ("Interest rates were raised by the central bank.", "Borrowing money has just become more expensive."),
    ("The museum shows paintings from the Renaissance.", "Old Italian art is on display in the gallery."),
    ("The dog barked at the postman.", "A puppy growled when the mail was delivered."),
    ("The bridge is shut for repairs until spring.", "Nobody can cross the river there until works are done."),
)  # fmt: skip
SENTENCES = tuple(sentence for pair in PAIRS for sentence in pair)


def read_vocabulary(path: Path) -> dict[str, int]:
    return {word: i for i, word in enumerate(path.read_text(encoding="utf-8").splitlines())}


def tokenize(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """[CLS], the longest pieces from the left of each word, [SEP]; uncased, accents dropped."""
    ids = [vocabulary["[CLS]"]]
    for word in _words(text):
        ids += _pieces(word, vocabulary)
    return [*ids, vocabulary["[SEP]"]]


def _words(text: str) -> list[str]:
    letters = (c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    return "".join(c if c.isalnum() or c.isspace() else f" {c} " for c in letters).split()


def _pieces(word: str, vocabulary: Mapping[str, int]) -> list[int]:
    pieces, begin = [], 0
    while begin < len(word):
        prefix = "##" if begin else ""
        ends = (end for end in range(len(word), begin, -1) if prefix + word[begin:end] in vocabulary)
        end = next(ends, None)
        if end is None:
            return [vocabulary["[UNK]"]]
        pieces.append(vocabulary[prefix + word[begin:end]])
        begin = end
    return pieces


def embed(weights: Weights, ids: list[int], inputs: dict[str, list[np.ndarray]] | None = None) -> np.ndarray:
    """The sentence's embedding, of length 1. `inputs` collects what each encoder matrix is multiplied with."""

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        if inputs is not None:
            inputs.setdefault(f"{name}.weight", []).append(x)
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
        return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    table, places = (weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
    kinds = weights["embeddings.token_type_embeddings.weight"]
    x = norm("embeddings.LayerNorm", table[ids] + places[: len(ids)] + kinds[0])
    for i in range(N_LAYERS):
        layer = f"encoder.layer.{i}"
        attended = _attend(
            *(dense(f"{layer}.attention.self.{name}", x) for name in ("query", "key", "value"))
        )
        x = norm(
            f"{layer}.attention.output.LayerNorm", dense(f"{layer}.attention.output.dense", attended) + x
        )
        hidden = _gelu(dense(f"{layer}.intermediate.dense", x))
        x = norm(f"{layer}.output.LayerNorm", dense(f"{layer}.output.dense", hidden) + x)
    mean = x.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _attend(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    query, key, value = (part.reshape(len(part), N_HEADS, -1).swapaxes(0, 1) for part in (query, key, value))
    scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[2])
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    mixed = shares / shares.sum(axis=2, keepdims=True) @ value
    return mixed.swapaxes(0, 1).reshape(mixed.shape[1], -1)


_erf = np.frompyfunc(math.erf, 1, 1)


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * (0.5 + 0.5 * np.asarray(_erf(x / math.sqrt(2)), x.dtype))


def n_found(embeddings: np.ndarray) -> int:
    """How many of the sentences have their own paraphrase for nearest neighbour."""
    similarities = embeddings @ embeddings.T
    np.fill_diagonal(similarities, -2)
    return int((similarities.argmax(axis=1) == np.arange(len(embeddings)) ^ 1).sum())
