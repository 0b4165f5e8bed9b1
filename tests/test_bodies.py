"""Bodies: strict JSON objects, strict forms; each fault with its answer, and in linear time."""

import gzip
import time
from contextlib import closing, suppress

import pytest
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from app import bodies
from app.errors import Invalid, Malformed, ServiceError, UnsupportedMediaType

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def request(body: bytes, content_type: str | None = JSON, **headers: str) -> Request:
    builder = EnvironBuilder(method="POST", input_stream=None, data=body, headers=Headers(headers))
    if content_type is not None:
        builder.content_type = content_type
    return Request(builder.get_environ())


def refusal(body: bytes, content_type: str | None = JSON, **headers: str) -> type[ServiceError]:
    try:
        with closing(request(body, content_type, **headers)) as sent:
            bodies.json_or_form(sent)
    except ServiceError as error:
        assert "topsecret" not in error.detail
        return type(error)
    raise AssertionError("it was read")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", Malformed),
        (b"   \n", Malformed),
        (b"null", Invalid),
        (b"[]", Invalid),
        (b'"topsecret"', Invalid),
        (b"1", Invalid),
        (b"true", Invalid),
        (b'{"a": 1} x', Malformed),
        (b"{'a': 1}", Malformed),
        (b'{"a": "\x07"}', Malformed),
        (b'{"a": "\xff"}', Malformed),
        ('{"a": 1}'.encode("utf-16"), Malformed),
        ('{"a": 1}'.encode("utf-32-le"), Malformed),
        (b'\xef\xbb\xbf{"a": 1}', Malformed),
        (b'{"a": NaN}', Malformed),
        (b'{"a": Infinity}', Malformed),
        (b'{"a": -Infinity}', Malformed),
        (b'{"a": 1e999}', Malformed),
        (b'{"a": ' + b"9" * 5000 + b"}", Malformed),
        (b'{"a": 1, "a": 2}', Malformed),
        (b'{"b": {"a": 1, "a": 2}}', Malformed),
        (b'{"a": 1, "\\u0061": 2}', Malformed),
        (b"[" * 983, Malformed),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, Malformed),
        (b'{"a": "topsecret', Malformed),
        (b'{"a": tru}', Malformed),
        (b'{"a": 01}', Malformed),
        (b'{"a": 1,}', Malformed),
        (b"{" + b",".join(b'"%d": 1' % n for n in range(20_000)) + b"}", Malformed),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, error: type[ServiceError]) -> None:
    assert refusal(body) is error


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/json; charset=cp1251",
        "application/json; charset=utf-16",
        "application/jsonx",
        "text/json",
        "application/octet-stream",
        "nonsense",
        ";",
    ],
)
def test_other_content_types_are_refused(content_type: str | None) -> None:
    assert refusal(b'{"a": 1}', content_type) is UnsupportedMediaType


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", 'Application/JSON; Charset="UTF-8"']
)
def test_json_in_utf8_is_read(content_type: str) -> None:
    read = bodies.json_or_form(
        request('{"a": "ё\\u0000", "b": [1.5, null]}'.encode(), content_type)
    )
    assert read == {"a": "ё\x00", "b": [1.5, None]}


@pytest.mark.parametrize("content_type", [JSON, FORM, "multipart/form-data; boundary=x"])
def test_compressed_bodies_are_not_opened(content_type: str) -> None:
    bomb = gzip.compress(b"{}" + b" " * 10_000_000)
    headers = {"Content-Encoding": "gzip"}
    assert refusal(bomb, content_type, **headers) is UnsupportedMediaType


def test_brackets_within_strings_are_not_depth() -> None:
    deep = '{"a": "' + "[{" * 500 + '", "b\\\\\\"[[[": 1}'
    assert bodies.parse_object(deep.encode())["a"] == "[{" * 500


def test_twenty_levels_are_read() -> None:
    assert bodies.parse_object(b'{"a":' + b"[" * 19 + b"]" * 19 + b"}")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"a=1&a=2", Malformed),
        (b"a=%FF", Malformed),
        (b"a=\xff", Malformed),
        (b"&".join(b"a%d=1" % n for n in range(1001)), Malformed),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, error: type[ServiceError]) -> None:
    assert refusal(body, FORM) is error


def test_a_form_is_read_as_it_stands() -> None:
    read = bodies.json_or_form(request(b"a=%D1%91+%26&b=&c=%00", FORM))
    assert read == {"a": "ё &", "b": "", "c": "\x00"}


def multipart(*parts: tuple[str, str]) -> bytes:
    shown = "".join(
        f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in parts
    )
    return (shown + "--x--\r\n").encode()


def test_multipart_fields_are_read_and_files_are_not() -> None:
    content_type = "multipart/form-data; boundary=x"
    body = multipart(('name="a"', "1"), ('name="b"', "ё"))
    assert bodies.json_or_form(request(body, content_type)) == {"a": "1", "b": "ё"}
    twice = multipart(('name="a"', "1"), ('name="a"', "2"))
    assert refusal(twice, content_type) is Malformed
    file = multipart(('name="a"; filename="f"', "1"))
    assert refusal(file, content_type) is UnsupportedMediaType


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 250_000,
        b'{"' * 120_000,
        b'"\\\n' * 80_000,
        b'{"a": "' + b"\\" * 250_000,
        b'{"a": "' + b'\\"' * 120_000 + b'"' + b"[" * 30,
        b"{" + b'"a":1,' * 40_000 + b"}",
        b'{"a":' + b"9" * 250_000 + b"}",
        b'{"a":0.' + b"9" * 250_000 + b"e-999999999}",
    ],
)
def test_no_body_takes_long(body: bytes) -> None:
    began = time.process_time()
    with suppress(ServiceError):
        bodies.parse_object(body)
    assert time.process_time() - began < 0.5
