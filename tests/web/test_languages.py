"""The two languages of the pages: whole, in step with the code, and chosen as people expect."""

import re

import pytest

from app import languages
from app.errors import Sentence
from tests.client import Client
from tests.web import sentences

RUSSIAN = languages.every()["ru"]
_VALUE = re.compile(r"\{[a-z]+\}")


def test_every_sentence_is_said_in_russian_and_no_other_is_in_the_catalogue() -> None:
    said = sentences.said()
    assert sorted(said - set(RUSSIAN.sentences)) == []
    assert sorted(set(RUSSIAN.sentences) - said) == []


def test_everything_counted_has_three_russian_forms() -> None:
    assert sentences.counted() == set(RUSSIAN.counted)
    assert all(len(forms) == 3 for forms in RUSSIAN.counted.values())


def test_a_translation_has_the_values_of_its_sentence() -> None:
    for english, russian in RUSSIAN.sentences.items():
        assert sorted(_VALUE.findall(english)) == sorted(_VALUE.findall(russian)), english
    for english, forms in RUSSIAN.counted.items():
        assert all(_VALUE.findall(form) == _VALUE.findall(english) for form in forms), english


@pytest.mark.parametrize(
    ("number", "form"),
    [(1, 0), (21, 0), (2, 1), (4, 1), (104, 1), (0, 2), (5, 2), (11, 2), (12, 2)],
)
def test_russian_counts_in_three_forms(number: int, form: int) -> None:
    assert RUSSIAN.plural(number) == form


def test_a_value_in_a_sentence_is_escaped() -> None:
    english = languages.every()["en"]
    assert english.say("Hello, {name}", name="<b>") == "Hello, &lt;b&gt;"
    assert english.say("braces {of} others stay") == "braces {of} others stay"


def test_a_sentence_of_a_service_keeps_its_values_in_russian() -> None:
    short = Sentence("A password has at least {least} characters.", least=8)
    assert short == "A password has at least 8 characters."
    assert RUSSIAN.say(short) == "Пароль — не короче 8 символов."


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en-GB,en;q=0.9,ru;q=0.8", "en"),
        ("de-DE,de", "en"),
        ("", "en"),
        ("fr, ru;q=0.5", "ru"),
    ],
)
def test_a_browser_gets_the_language_it_asks_for(client: Client, header: str, code: str) -> None:
    page = client.get("/", headers={"Accept-Language": header}).text
    assert f'<html lang="{code}">' in page
