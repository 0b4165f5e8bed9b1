"""Usernames, names, greetings and texts: what may be one, and when two usernames are the same."""

import re
import time
import unicodedata

import pytest

from app.errors import Invalid
from app.services import names


@pytest.mark.parametrize(
    "username",
    [
        "Sania",
        "FedXL",
        "some_name",
        "желаемое_имя_пользователя",
        "Ёжик-2",
        "Іван",
        "a@b.example",
        "x1",
        "a" * 64,
    ],
)
def test_latin_or_cyrillic_usernames_are_accepted(username: str) -> None:
    names.check_username(username)
    assert re.search(names.USERNAME_PATTERN, username)


@pytest.mark.parametrize(
    "username",
    [
        "",
        "a",
        "a" * 65,
        "two words",
        "line\nbreak",
        "line\r\nbreak",
        "nul\x00",
        "colon:colon",
        "аlice",  # Cyrillic а
        "аlіcе",
        "über",
        "ａｌｉｃｅ",  # full width
        "١٢٣",  # Arabic-Indic digits
        "a١",
        "и\u0306ога",  # й in two characters
        "a\u0301bc",
        "zero\u200bwidth",
        "rtl\u202eabc",
        "\ud800\ud800",
        "日本",
        "ab\n",
    ],
)
def test_anything_else_is_no_username(username: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.check_username(username)
    assert list(refused.value.fields) == ["username"]
    assert not re.search(names.USERNAME_PATTERN.replace("$", r"\Z"), username)


@pytest.mark.parametrize("reserved", ["admin", "ADMIN", "Adm1n", "adrnin", "root", "r00t", "me"])
def test_reserved_words_and_what_looks_like_them_are_no_usernames(reserved: str) -> None:
    with pytest.raises(Invalid):
        names.check_username(reserved)
    assert not re.search(names.USERNAME_PATTERN, reserved)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("alice", "AIice"),  # capital I for l
        ("paypal", "paypa1"),
        ("bob", "b0b"),
        ("modem", "modern"),
        ("cop", "сор"),  # all Cyrillic
        ("Beep", "Веер"),
        ("bl", "Ы"),
        ("lO", "Ю"),
        ("333", "ЗЗЗ"),
        ("6a", "ба"),
        ("Ёлка", "елка"),
        ("иван", "ИВАН"),
        ("Страсса", "СТРАССА"),
    ],
)
def test_names_that_look_alike_are_the_same(one: str, other: str) -> None:
    assert names.lookalike(one) == names.lookalike(other)


@pytest.mark.parametrize(("one", "other"), [("anna", "ana"), ("иван", "ивана"), ("a.b", "a_b")])
def test_names_that_do_not_look_alike_are_two(one: str, other: str) -> None:
    assert names.lookalike(one) != names.lookalike(other)


def test_the_lookalike_form_of_a_form_is_itself() -> None:
    letters = [chr(n) for n in range(0x500) if re.fullmatch(r"[\w.@+-]", chr(n))]
    for letter in letters:
        once = names.lookalike(letter)
        assert names.lookalike(once) == once, letter


def test_composed_and_decomposed_letters_sign_in_as_the_same() -> None:
    for word in ("Ёжик", "йога", "їжак"):
        assert names.lookalike(unicodedata.normalize("NFD", word)) == names.lookalike(word)


@pytest.mark.parametrize("line", ["Анна", "O'Neil", "👩‍👩‍👧", "x" * 100, "a  b", "\u202eabc"])
def test_a_name_is_any_line_that_is_seen(line: str) -> None:
    names.check_name(line)
    assert re.search(names.LINE_PATTERN, line)


@pytest.mark.parametrize(
    "line", ["", " ", "\u200b", "\ufe0f", "a\nb", "a\r", "a\tb", "a\u2028b", "a\x00", "a\x1b[1m"]
)
def test_a_name_is_one_visible_line_without_controls(line: str) -> None:
    for check in (names.check_name, names.check_greeting, names.check_label):
        with pytest.raises(Invalid):
            check(line)


def test_a_name_and_a_greeting_have_their_lengths() -> None:
    with pytest.raises(Invalid):
        names.check_name("x" * 101)
    names.check_greeting("x" * 200)
    with pytest.raises(Invalid):
        names.check_greeting("x" * 201)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "line\nbreak\r\n\tand tab",
        "\uffff",
        "\U0010ffff",
        "*_[]()~`>#+-=|{}.! <b>",
        "'; DROP TABLE message; --",
        "{{7*7}} %s%n ${x}",
        "e\u0301",
        "\u202ertl",
        "x" * 20000,
    ],
)
def test_a_text_is_taken_as_it_is(text: str) -> None:
    names.check_text(text, 20000)
    assert re.search(names.TEXT_PATTERN, text)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u200b\u200d", "\u2060", "a\x00b", "a\x07", "\ud800", "a\x85b", "\ufdd0"]
)
def test_a_text_is_visible_and_without_controls(text: str) -> None:
    with pytest.raises(Invalid):
        names.check_text(text, 20000)


def test_a_text_that_is_too_long_is_told_how_long_it_may_be() -> None:
    with pytest.raises(Invalid) as refused:
        names.check_text("x" * 21, 20)
    assert "20" in refused.value.fields["text"][0]
    assert "21" in refused.value.fields["text"][0]


@pytest.mark.parametrize("text", ["a" * 20000 + "\x01", " " * 20000, " " * 19999 + "\x01"])
def test_no_text_takes_longer_to_check_than_its_length(text: str) -> None:
    began = time.process_time()
    with pytest.raises(Invalid):
        names.check_text(text, 20001)
    assert time.process_time() - began < 0.1
