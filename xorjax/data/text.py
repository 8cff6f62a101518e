"""Texts of words: three files of sentences, one a line, as the Penn Treebank is usually had (ptb.train.txt, ...).

A word's number is its rank among the words of the training text by frequency; each line ends in the word `<eos>`.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from xorjax.data.catalogue import DataError, MissingData
from xorjax.data.config import DataConfig
from xorjax.settings import nearest

END = "<eos>"
PARTS = {"train": "train", "validation": "valid", "test": "test"}
"""What the files call the splits."""


@dataclass(frozen=True)
class TextSpec:
    """`found` says where the files are had from; `md5` of each and its words, those at the ends of lines included."""

    found: str
    n_classes: int
    words: dict[str, int]
    md5: dict[str, str]

    @property
    def sizes(self) -> dict[str, int]:
        return {f"n_{split}": n for split, n in self.words.items()} | {"n_classes": self.n_classes}


TEXTS = {
    "ptb": TextSpec(
        "scripts/get_data.py fetches them",
        10_000,
        {"train": 929_589, "validation": 73_760, "test": 82_430},
        {
            "train": "f26c4b92c5fdc7b3f8c7cdcb991d8420",
            "validation": "aa0affc06ff7c36e977d7cd49e3839bf",
            "test": "8b80168b89c18661a38ef683c0dc3721",
        },
    ),
    "brown": TextSpec(
        "the repository has them in data/brown",
        2_000,
        {"train": 50_761, "validation": 8_460, "test": 8_507},
        {
            "train": "62a321471ccb47733d7d8fa7a8a27927",
            "validation": "4dc3746d49fd53b3f5a2cc258c33e8a6",
            "test": "cd555a49eed5e242137b70305a60dd95",
        },
    ),
}


def file_names(name: str) -> dict[str, str]:
    """The file of each split."""
    return {split: f"{name}.{part}.txt" for split, part in PARTS.items()}


def find_text(name: str, directory: Path) -> Path:
    """The folder with the files of the text `name`: `directory`/`name` or `directory`.

    Raises:
        MissingData: nothing of it is there.
        DataError: the text is unknown, or a file of it is missing.
    """
    if name not in TEXTS:
        raise DataError(
            f"unknown text {name!r}: did you mean {nearest(name, TEXTS)!r}? Known: {', '.join(TEXTS)}."
        )
    files = file_names(name).values()
    for folder in (directory / name, directory):
        there = [file for file in files if (folder / file).is_file()]
        if there:
            for file in files:
                if file not in there:
                    raise DataError(f"{folder / file} is missing.")
            return folder
    raise MissingData(
        f"no {name} in {str(directory)!r}: put its files {', '.join(files)} ({TEXTS[name].found}) into "
        f"{directory / name}"
    )


def read_words(folder: Path, name: str) -> dict[str, list[str]]:
    """The words of each split.

    Raises:
        DataError: a file is not the canonical one; names it.
    """
    splits = {}
    for split, file in file_names(name).items():
        content = (folder / file).read_bytes()
        digest, expected = hashlib.md5(content, usedforsecurity=False).hexdigest(), TEXTS[name].md5[split]
        if digest != expected:
            raise DataError(
                f"{folder / file} is not the canonical file: its md5 is {digest}, expected {expected}."
            )
        splits[split] = content.decode().replace("\n", f" {END} ").split()
    return splits


def load_text(config: DataConfig) -> dict[str, Int32[np.ndarray, " words"]]:
    """The numbers of the words of each split after that of `<eos>`, which every sentence follows.

    `n_train`, `n_validation` and `n_test` take the first so many words.

    Raises:
        MissingData: as `find_text`.
        DataError: the text is unknown, a file is missing or not the canonical one, or a number is too large.
    """
    splits = read_words(find_text(config.name, Path(config.dir)), config.name)
    counts = Counter(splits["train"])
    ranks = {word: rank for rank, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}
    numbers = {}
    for split, words in splits.items():
        n = getattr(config, f"n_{split}")
        if n is not None and not 1 <= n <= len(words):
            raise DataError(f"data.n_{split} is {n}, expected 1 to {len(words)}.")
        numbers[split] = np.array([ranks[word] for word in [END, *words[:n]]], np.int32)
    return numbers
