"""One person at one dialect, whichever it is: registers, signs in, links a chat, sends, looks back.

A driver knows its dialect's words and nothing else of the product. Telegram is whatever gives out
codes and takes tokens: the services at once (conftest), or the real bot over the sandbox.
"""

import json
from base64 import b64encode
from typing import Any, ClassVar, Protocol

from flask import Response

from app.dialects import DIALECTS
from app.dialects.contract import Dialect, Operation
from tests.client import Answer, Client

PASSWORD = "correct horse battery"


class Messenger(Protocol):
    """A private chat with the bot."""

    def sends_token(self, token: str) -> str: ...

    def asks_for_code(self) -> str: ...


class Driver:
    """What every dialect can do; the subclasses say how."""

    name: ClassVar[str]
    # The field of a new message, and of a username.
    text_field: ClassVar[str] = "text"
    username_field: ClassVar[str] = "username"

    def __init__(self, client: Client, username: str = "anna", password: str = PASSWORD):
        self.client = client
        self.username = username
        self.password = password
        self.headers: dict[str, str] = {}
        # Fields that go along with every body, though no document knows them.
        self.extra: dict[str, Any] = {}

    @property
    def dialect(self) -> Dialect:
        return next(dialect for dialect in DIALECTS if dialect.name == self.name)

    def post(self, path: str, **body: Any) -> Answer:
        return self.post_as(self.headers, path, body)

    def post_as(self, headers: dict[str, str], path: str, body: dict[str, Any]) -> Answer:
        # By escapes, so that a lone surrogate can be sent, too.
        raw = json.dumps(self.extra | body)
        return self.client.post(path, data=raw, content_type="application/json", headers=headers)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers).json

    def is_failure(self, answer: Response) -> bool:
        """Whether the answer has this dialect's shape of a failure: texts by field, or `detail`."""
        body = answer.json
        if not isinstance(body, dict) or answer.mimetype != "application/json":
            return False
        if isinstance(body.get("detail"), str):
            return set(body) <= {"detail", "code"}
        return bool(body) and all(
            isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)
            for texts in body.values()
        )

    def register(self) -> Answer:
        raise NotImplementedError

    def sign_in(self) -> Answer:
        raise NotImplementedError

    def bear(self, credential: str) -> None:
        """Uses another credential from now on."""
        raise NotImplementedError

    def link(self, chat: Messenger) -> None:
        raise NotImplementedError

    def send(self, text: str) -> Answer:
        raise NotImplementedError

    def sent(self) -> list[str]:
        """The texts that the history says were sent, newest first."""
        raise NotImplementedError


class MessageSender(Driver):
    name = "message_sender"
    text_field = "message"

    def register(self) -> Answer:
        fields = {"username": self.username, "password": self.password}
        return self.post("/api/v1/auth/users/", first_name=self.username, **fields)

    def sign_in(self) -> Answer:
        fields = {"username": self.username, "password": self.password}
        answer = self.post("/api/v1/auth/jwt/create/", **fields)
        self.bear(answer.json.get("access", ""))
        return answer

    def bear(self, credential: str) -> None:
        self.headers = {"Authorization": f"JWT {credential}"}

    def link(self, chat: Messenger) -> None:
        chat.sends_token(self.get("/api/v1/get_telegram_token/")["telegram_token"])

    def send(self, text: str) -> Answer:
        return self.post("/api/v1/message/", message=text)

    def sent(self) -> list[str]:
        return [entry["message"] for entry in self.get("/api/v1/message/?page_size=100")["results"]]


class DjangoBot(Driver):
    name = "djangobot"
    username_field = "login"
    bot_token = "none yet"

    def is_failure(self, answer: Response) -> bool:
        return _has_one_text(answer, "answer")

    def register(self) -> Answer:
        return self.post("/api/user/", name="Anna", login=self.username, psw=self.password)

    def sign_in(self) -> Answer:
        answer = self.post("/api/auth/", login=self.username, psw=self.password)
        self.bear(answer.json.get("access_token", ""))
        return answer

    def bear(self, credential: str) -> None:
        self.headers = {"Authorization": f"Bearer {credential}"}

    def link(self, chat: Messenger) -> None:
        answer = self.post("/api/cabinet/", code=chat.asks_for_code())
        self.bot_token = answer.json["bot_token"]

    def send(self, text: str) -> Answer:
        body = {"text": text, "type": "Text", "bot_token": self.bot_token}
        return self.post_as({}, "/api/send_message", body)

    def sent(self) -> list[str]:
        return [entry["text"] for entry in self.get("/api/cabinet")["messages"]]


class FactoryApp(Driver):
    name = "factoryapp"

    def register(self) -> Answer:
        return self.post("/api/users/register/", username=self.username, password=self.password)

    def sign_in(self) -> Answer:
        answer = self.post("/auth/token/", username=self.username, password=self.password)
        self.bear(answer.json.get("access", ""))
        return answer

    def bear(self, credential: str) -> None:
        self.headers = {"Authorization": f"Bearer {credential}"}

    def link(self, chat: Messenger) -> None:
        chat.sends_token(self.get("/api/users/get-telegram-token/")["telegram_token"])

    def send(self, text: str) -> Answer:
        return self.post("/api/messages/", text=text)

    def sent(self) -> list[str]:
        return [entry["text"] for entry in reversed(self.get("/api/messages/"))]


class JwtMessage(Driver):
    name = "jwt_message"
    username_field = "name"

    def is_failure(self, answer: Response) -> bool:
        return _has_one_text(answer, "status")

    def register(self) -> Answer:
        return self.post("/signup/", name=self.username, password=self.password)

    def sign_in(self) -> Answer:
        answer = self.post("/login/", name=self.username, password=self.password)
        self.bear(answer.json.get("token", ""))
        return answer

    def bear(self, credential: str) -> None:
        self.headers = {"token": credential}

    def link(self, chat: Messenger) -> None:
        """Its document knows no linking: over the product's own API."""
        bearer = {"Authorization": f"Bearer {self.headers['token']}"}
        chat.sends_token(self.client.get("/v1/tokens/link", headers=bearer).json["token"])

    def send(self, text: str) -> Answer:
        return self.post("/message/", name=self.username, text=text)

    def sent(self) -> list[str]:
        told = self.send("last 100").json
        return [told[number] for number in sorted(told, key=int, reverse=True)]


class TelegramTask(Driver):
    name = "telegram_task"
    text_field = "content"

    def register(self) -> Answer:
        twice = {"password": self.password, "password_repeat": self.password}
        return self.post("/users/signup", username=self.username, **twice)

    def sign_in(self) -> Answer:
        answer = self.post("/users/login", username=self.username, password=self.password)
        self.bear(self.password)
        return answer

    def bear(self, credential: str) -> None:
        pair = f"{self.username}:{credential}".encode("utf-8", "replace")
        self.headers = {"Authorization": f"Basic {b64encode(pair).decode()}"}

    def link(self, chat: Messenger) -> None:
        code = {"verification_code": chat.asks_for_code()}
        self.client.patch("/bot/verify/", json=code, headers=self.headers)

    def send(self, text: str) -> Answer:
        return self.post("/message/sent", content=text)

    def sent(self) -> list[str]:
        return [entry["content"] for entry in self.get("/message/sent")]


DRIVERS: tuple[type[Driver], ...] = (
    MessageSender,
    DjangoBot,
    FactoryApp,
    JwtMessage,
    TelegramTask,
)


OPERATIONS = [(dialect, operation) for dialect in DIALECTS for operation in dialect.operations]


def driver_for(operation: Operation, client: Client) -> Driver:
    """Anna at the dialect that has this operation."""
    name = next(dialect.name for dialect, own in OPERATIONS if own is operation)
    return next(driver for driver in DRIVERS if driver.name == name)(client)


def both_forms(path: str) -> tuple[str, str]:
    """Without and with the slash at its end."""
    return path.rstrip("/"), path.rstrip("/") + "/"


def _has_one_text(answer: Response, key: str) -> bool:
    body = answer.json
    if not isinstance(body, dict) or answer.mimetype != "application/json":
        return False
    return list(body) == [key] and bool(body[key])
