"""Texts: what the committed one holds, what is refused, and that the same words have the same numbers."""

import shutil

import numpy as np
import pytest

from xorjax.data.catalogue import DataError, MissingData
from xorjax.data.config import DataConfig
from xorjax.data.text import END, TEXTS, file_names, load_text, read_words

NAMES = ("brown.train.txt", "brown.valid.txt", "brown.test.txt")


@pytest.fixture(scope="module")
def folder(request):
    return request.config.rootpath / "data" / "brown"


@pytest.fixture(scope="module")
def numbers(folder):
    return load_text(DataConfig("brown", str(folder.parent)))


def test_the_committed_text_is_what_the_table_says(folder, numbers):
    spec, words = TEXTS["brown"], read_words(folder, "brown")
    assert {split: len(own) for split, own in words.items()} == spec.words
    assert {split: len(own) - 1 for split, own in numbers.items()} == spec.words
    assert len(set(words["train"])) == spec.n_classes
    assert "redistribution permitted" in (folder / "README.md").read_text()


def test_numbers_are_ranks_by_frequency(folder, numbers):
    words = read_words(folder, "brown")
    counts = np.bincount(numbers["train"][1:])
    assert (np.diff(counts) <= 0).all()
    known: dict[int, str] = {}
    for split, own in words.items():
        assert words[split][-1] == END
        for number, word in zip(numbers[split].tolist(), [END, *own], strict=True):
            assert known.setdefault(number, word) == word


def test_the_first_so_many_words(folder, numbers):
    few = load_text(DataConfig("brown", str(folder), n_train=100, n_test=7))
    assert {split: len(own) for split, own in few.items()} == {"train": 101, "validation": 8461, "test": 8}
    assert all(np.array_equal(own, numbers[split][: len(own)]) for split, own in few.items())
    with pytest.raises(DataError, match="n_test is 8508, expected 1 to 8507"):
        load_text(DataConfig("brown", str(folder), n_test=8508))


def test_what_is_missing_or_another_text_is_refused(folder, tmp_path):
    with pytest.raises(MissingData, match=r"ptb\.train\.txt.*get_data\.py"):
        load_text(DataConfig("ptb", str(tmp_path)))
    with pytest.raises(DataError, match="did you mean 'ptb'"):
        load_text(DataConfig("ptbs", str(tmp_path)))
    for name in NAMES[:2]:
        shutil.copyfile(folder / name, tmp_path / name)
    with pytest.raises(DataError, match=r"brown\.test\.txt is missing"):
        load_text(DataConfig("brown", str(tmp_path)))
    (tmp_path / NAMES[2]).write_text("other words\n")
    with pytest.raises(DataError, match=r"brown\.test\.txt is not the canonical file"):
        load_text(DataConfig("brown", str(tmp_path)))


def test_the_files_are_called_as_they_usually_are():
    assert tuple(file_names("ptb").values()) == ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")
    assert TEXTS["ptb"].n_classes == 10_000
