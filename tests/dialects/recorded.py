"""A document as recorded examples: what is sent, word by word, and what must come back.

    replay(client, [
        Example("POST /login/", '{"name": "some_name", …}', 200, {"token": JWT}),
        Example("POST /message/", …, headers={"token": "$token"}),
    ])

A text of an answer is kept under its key and put in where a later example says `$key`. Between
examples there may be steps: what a person does meanwhile. Nothing here knows a dialect.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any

from tests.client import Answer, Client

Values = dict[str, Any]
Step = Callable[[Values], None]


class Like(str):
    """A text that equals every text that its pattern matches whole."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(str(self), other) is not None

    def __hash__(self) -> int:
        return super().__hash__()


class Some(int):
    """A number that equals every whole number above nought."""

    def __eq__(self, other: object) -> bool:
        return type(other) is int and other > 0

    def __hash__(self) -> int:
        return super().__hash__()


JWT = Like(r"[\w-]+\.[\w-]+\.[\w-]+")
MOMENT = Like(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
HEX64 = Like(r"[0-9a-f]{64}")
UUID = Like(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = Some()


@dataclass(frozen=True)
class Example:
    """One request of a document, and the answer that it must get."""

    request: str
    body: str | None
    status: int
    answer: Any
    headers: dict[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None


Story = Sequence[Example | Step]


def replay(
    client: Client,
    examples: Story,
    *,
    slash: bool | None = None,
    form: bool = False,
) -> Values:
    """Plays `examples` in order and checks every answer.

    `slash` puts every path with or without one at its end; None: as it stands. `form` sends the
    same fields as a form.
    """
    values: Values = {}
    for example in examples:
        if not isinstance(example, Example):
            example(values)
            continue
        response = _send(client, example, values, slash, form)
        told = f"{example.request}: {response.status_code} {response.get_data(as_text=True)}"
        assert response.status_code == example.status, told
        assert response.json == example.answer, told
        assert response.mimetype == "application/json"
        if isinstance(response.json, dict):
            values.update(response.json)
    return values


def _send(
    client: Client, example: Example, values: Values, slash: bool | None, form: bool
) -> Answer:
    method, _, target = example.request.partition(" ")
    path, mark, query = target.partition("?")
    if slash is not None:
        path = path.rstrip("/") + "/" * slash
    headers = {name: _filled(value, values) for name, value in example.headers.items()}
    body = example.body and _filled(example.body, values)
    if body is None:
        sent: dict[str, Any] = {}
    elif form:
        sent = {"data": json.loads(body)}
    else:
        sent = {"data": body.encode(), "content_type": "application/json"}
    return client.open(
        path + mark + query, method=method, headers=headers, auth=example.auth, **sent
    )


def _filled(text: str, values: Values) -> str:
    return Template(text).safe_substitute(values)
