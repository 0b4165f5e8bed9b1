"""Dialects 3 and 4 speak Russian whatever fails: what the services say of a field, too."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from app.dialects import DIALECTS
from app.errors import ServiceError
from tests.client import Client

RUSSIAN = [dialect for dialect in DIALECTS if dialect.language == "ru"]
# Names of things that are called so in Russian as well.
TERMS = re.compile(
    r"\b(JSON|Retry-After|Idempotency-Key|Basic|X-CSRF-TOKEN|Telegram|cookie|token|name|GET|stop)\b"
)

NAMES = {"factoryapp": ("username", "/api/users/register/"), "jwt_message": ("name", "/signup/")}
BAD_CREDENTIALS = [
    ("anna", "short", "Пароль — не короче 8 символов."),
    ("anna", "я" * 600, "Пароль — не длиннее 1024 байт и без нулевых байтов."),
    ("annaanna", "annaanna", "Пароль не должен совпадать с именем пользователя."),
    ("anna", "password1", "Этот пароль слишком распространён: его попробуют и другие."),
    ("a", "correct horse battery", "В имени пользователя от 2 до"),
    ("aннa", "correct horse battery", "Латинские или кириллические буквы"),
    ("admin", "correct horse battery", "Это имя занято службой."),
]


def kinds(kind: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def english_in(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]{2,}", TERMS.sub("", text))


def test_there_are_two_of_them() -> None:
    assert [dialect.name for dialect in RUSSIAN] == ["factoryapp", "jwt_message"]


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_kind_of_failure_is_told_in_russian(app: Flask, kind: type[ServiceError]) -> None:
    with app.test_request_context("/"):
        for dialect in RUSSIAN:
            told, *_ = dialect.render(kind()).get_json().values()
            assert re.search("[а-я]{3}", told), told
            assert not english_in(told), told


@pytest.mark.parametrize(("username", "password", "words"), BAD_CREDENTIALS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_with_a_field_is_told_in_russian(
    client: Client, name: str, username: str, password: str, words: str
) -> None:
    field, path = NAMES[name]
    answer = client.post(path, json={field: username, "password": password})
    assert answer.status_code == 400
    assert words in answer.text
    assert set(english_in(answer.text)) <= {field, "password", "status"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "Тело запроса пустое, а нужен объект JSON."),
        ("[]", "Тело запроса — JSON, но не объект."),
        ("{'name': 1}", "строка 1, столбец 2."),
        ('{"name": NaN}', "NaN — не JSON."),
        ('{"name": "a", "name": "b"}', "В теле запроса одно поле встречается дважды."),
        ("[" * 50, "Вложенность тела запроса больше 20 уровней."),
    ],
)
def test_what_is_wrong_with_a_body_is_told_in_russian(
    client: Client, body: str, words: str
) -> None:
    for _, path in NAMES.values():
        answer = client.post(path, data=body, content_type="application/json")
        assert answer.status_code == 400
        assert words in answer.text


def test_what_is_wrong_with_a_text_is_told_in_russian(client: Client) -> None:
    credentials = {"username": "anna", "password": "correct horse battery"}
    client.post("/api/users/register/", json=credentials)
    access = client.post("/auth/token/", json=credentials).get_json()["access"]
    own = {"Authorization": f"Bearer {access}"}
    for text, words in (
        ("\u200b", "В сообщении должен быть хотя бы один видимый символ."),
        ("a\x00", "Управляющие символы и непарные суррогаты отправить нельзя."),
        ("x" * 20_001, "В сообщении не больше 20000 символов, а здесь 20001."),
    ):
        answer = client.post("/api/messages/", json={"text": text}, headers=own)
        assert (answer.status_code, answer.get_json()) == (400, {"text": [words]})
        named = {"name": "anna", "text": text}
        answer = client.post("/message/", json=named, headers={"token": access})
        assert (answer.status_code, answer.get_json()) == (400, {"status": f"text: {words}"})
