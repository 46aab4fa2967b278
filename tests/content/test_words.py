"""The program's own sentences: whole in each language that is shipped."""

import re
import string
import tomllib
from importlib import resources

import pytest

from newsletter.content.words import DEFAULT, spoken, words

FOLDER = resources.files("newsletter.content") / "words"
SHIPPED = sorted(file.name.removesuffix(".toml") for file in FOLDER.iterdir() if file.name.endswith(".toml"))
OTHERS = [lang for lang in SHIPPED if lang != DEFAULT]


def own(lang: str) -> dict[str, str]:
    """A catalogue as it stands in its file, without English behind it."""

    def flat(tree, prefix=""):
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    return dict(flat(tomllib.loads((FOLDER / f"{lang}.toml").read_text("utf-8"))))


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_english_and_spanish_are_shipped():
    assert SHIPPED == ["en", "es"]
    assert all(spoken(lang) for lang in SHIPPED)


@pytest.mark.parametrize("lang", OTHERS)
def test_no_sentence_is_missing_or_left_over(lang):
    assert set(own(lang)) == set(own(DEFAULT))
    assert list(own(lang)) == list(own(DEFAULT))  # in one order, so that two files can be read side by side


@pytest.mark.parametrize("lang", OTHERS)
def test_every_sentence_has_the_same_places(lang):
    english = own(DEFAULT)
    assert {key for key, said in own(lang).items() if places(said) != places(english[key])} == set()


@pytest.mark.parametrize("lang", OTHERS)
def test_nothing_is_left_in_english(lang):
    english, same = own(DEFAULT), {"mail.poll_subject", "mail.feedback_subject"}
    assert {key for key, said in own(lang).items() if said == english[key]} == same


@pytest.mark.parametrize("lang", SHIPPED)
def test_a_week_and_a_year_are_whole(lang):
    assert len(words(lang)["date.weekdays"].split()) == 7
    assert len(words(lang)["date.months"].split()) == 12


@pytest.mark.parametrize("lang", SHIPPED)
def test_nobody_is_shouted_at(lang):
    for key, said in own(lang).items():
        assert not re.search("[!¡]", said), key
