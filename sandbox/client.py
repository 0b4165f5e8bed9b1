"""The sandbox in the words of a test: people write, press, block; the journal tells what arrived.

    with Sandbox.start() as sandbox:
        anna = sandbox.user("Anna", language_code="ru")
        anna.says("/start 0123abcd")
        assert "linked" in anna.hears().text
        sandbox.fault("cut", accepted=True, chat=anna, times=1)
        anna.presses("This was not me")
        anna.blocks()

Talks to the control API over HTTP only, so it serves equally for a sandbox in a thread, in a
process, or one that `./dev run` started. Waiting always has a deadline and says what it waited
for.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from sandbox.http import JsonObject
from sandbox.journal import Accepted, Call
from sandbox.limits import Rates
from sandbox.remote import Remote, SandboxError
from sandbox.running import InProcess, InThread, Running
from sandbox.server import DEFAULT_TOKEN, DEFAULT_USERNAME, Settings

__all__ = [
    "DEFAULT_TOKEN", "Accepted", "Button", "Call", "Channel", "Fault", "Group", "Message", "Press",
    "Sandbox", "SandboxError", "User", "wait_for",
]  # fmt: skip

_T = TypeVar("_T")


def wait_for(condition: Callable[[], _T], within: float = 10.0, what: str = "") -> _T:
    """The first truthy value of `condition`, asked every 10 ms; else `TimeoutError`."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s: {what or condition}")
        time.sleep(0.01)


@dataclass(slots=True, frozen=True)
class Button:
    """An inline button."""

    text: str
    data: str | None = None
    url: str | None = None
    copy_text: str | None = None


@dataclass(slots=True, frozen=True)
class Message:
    """A message as a person sees it now; `raw` is the Bot API's `Message`."""

    message_id: int
    text: str
    from_bot: bool
    buttons: list[Button]
    raw: JsonObject


@dataclass(slots=True, frozen=True)
class Press:
    """A pressed button."""

    id: str
    remote: Remote

    def answer(self, within: float = 10.0) -> str:
        """The notice the bot showed; `TimeoutError` if it answered nothing."""
        answer = self.remote.get(f"/sandbox/presses/{self.id}", wait=within)["answer"]
        if answer is None:
            raise TimeoutError(f"the bot did not answer the press within {within} s")
        return str(answer["text"])


@dataclass(slots=True, frozen=True)
class Fault:
    """A scripted fault; as a context manager it is cleared at the end of the block."""

    id: int
    remote: Remote

    def fired(self) -> int:
        """How many calls it has hit."""
        return int(self.remote.get(f"/sandbox/faults/{self.id}")["fired"])

    def clear(self) -> None:
        """Ends it; a second time is harmless."""
        if any(item["id"] == self.id for item in self.remote.get("/sandbox/faults")["items"]):
            self.remote.delete(f"/sandbox/faults/{self.id}")

    def __enter__(self) -> "Fault":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


class _Chat:
    """What is common to a private chat, a group and a channel."""

    def __init__(self, sandbox: "Sandbox", identifier: int) -> None:
        self._sandbox = sandbox
        self._remote = sandbox.remote
        self._path = f"/sandbox/chats/{identifier}"
        self._heard = 0
        self.id = identifier

    def messages(self) -> list[Message]:
        """Everything in the chat that was not deleted, oldest first."""
        return [
            _message(item["message"], by_bot=item["by_bot"])
            for item in self._history()
            if not item["deleted"]
        ]

    def received(self) -> list[str]:
        """The texts of the bot's messages, oldest first, as they stand now."""
        return [message.text for message in self.messages() if message.from_bot]

    def hears(self, part: str = "", within: float = 10.0) -> Message:
        """The bot's next message with `part` in it, after what was last said or heard here."""
        deadline = time.monotonic() + within
        since = 0
        while True:
            left = deadline - time.monotonic()
            page = self._remote.get(f"{self._path}/messages", since=since, wait=max(0.0, left))
            for item in page["items"]:
                found = _message(item["message"], by_bot=item["by_bot"])
                if found.from_bot and found.message_id > self._heard and part in found.text:
                    self._heard = found.message_id
                    return found
            if left <= 0:
                raise TimeoutError(
                    f"no message with {part!r} within {within} s; received: {self.received()}"
                )
            since = page["next"]

    def _history(self) -> list[JsonObject]:
        items: list[JsonObject] = self._remote.get(f"{self._path}/messages")["items"]
        return sorted(items, key=lambda item: int(item["message"]["message_id"]))

    def _write(self, **fields: object) -> Message:
        message = _message(self._remote.post(f"{self._path}/messages", **fields))
        self._heard = max(self._heard, message.message_id)
        return message


class User(_Chat):
    """A person, and the private chat with the bot."""

    def __init__(self, sandbox: "Sandbox", shown: JsonObject) -> None:
        super().__init__(sandbox, int(shown["id"]))
        self.name = str(shown["first_name"])

    def says(
        self,
        text: str,
        *,
        forwarded_from: "User | None" = None,
        entities: list[JsonObject] | None = None,
        extra: JsonObject | None = None,
    ) -> Message:
        """Writes to the bot; `extra` are raw fields of the Bot API's `Message`."""
        origin = None if forwarded_from is None else forwarded_from.id
        return self._write(text=text, forwarded_from=origin, entities=entities, extra=extra)

    def sends_sticker(self, emoji: str = "🙂") -> Message:
        """Sends a sticker instead of a text."""
        return self._write(sticker=emoji)

    def edits(self, message: Message, text: str) -> Message:
        """Changes a message after it was sent."""
        return self._write(edit=message.message_id, text=text)

    def presses(self, button: str, under: Message | None = None) -> Press:
        """Presses a button by its text or data, under the newest message that has it."""
        message_id = None if under is None else under.message_id
        path = f"{self._path}/presses"
        press = self._remote.post(path, button=button, message_id=message_id)
        return Press(str(press["id"]), self._remote)

    def blocks(self) -> None:
        """Blocks the bot: it gets a `my_chat_member` update, its messages a 403."""
        self._remote.post(self._path, bot_status="kicked")

    def unblocks(self) -> None:
        """Takes the block away; the bot gets an update again."""
        self._remote.post(self._path, bot_status="member")

    def deletes_account(self) -> None:
        """The account is gone: 403 `user is deactivated`, and no update tells of it."""
        self._remote.post(f"/sandbox/people/{self.id}", deactivated=True)


class Group(_Chat):
    """A group or supergroup with the bot in it."""

    def writes(self, text: str, by: User) -> Message:
        """A member writes."""
        return self._write(text=text, by=by.id)

    def throws_bot_out(self, by: User) -> None:
        """403 from now on."""
        self._remote.post(self._path, bot_status="kicked", by=by.id)

    def upgrades_to(self, new: "Group") -> None:
        """The group lives on under the id of `new`: 400 with `migrate_to_chat_id`."""
        self._remote.post(self._path, upgraded_to=new.id)


class Channel(_Chat):
    """A channel with the bot in it."""

    def posts(self, text: str) -> Message:
        """A post appears; it has no sender."""
        return self._write(text=text)


class Sandbox:
    """A running sandbox. As a context manager it is stopped at the end of the block."""

    def __init__(self, url: str, control_url: str, token: str, running: Running | None) -> None:
        self.url = url
        self.token = token
        self.remote = Remote(control_url)
        self.running = running

    @classmethod
    def start(
        cls,
        *,
        limits: bool = False,
        token: str = DEFAULT_TOKEN,
        username: str = DEFAULT_USERNAME,
        port: int = 0,
        data: Path | None = None,
        process: bool = False,
    ) -> "Sandbox":
        """Starts one, in a thread or as a child process; flood limits are off by default."""
        settings = Settings(
            port=port,
            control_port=0,
            token=token,
            username=username,
            data=data,
            rates=Rates(enforced=limits),
        )
        running: Running = InProcess(settings) if process else InThread(settings)
        local = "http://127.0.0.1"
        urls = (f"{local}:{running.port}", f"{local}:{running.control_port}")
        return cls(*urls, token, running)

    @classmethod
    def at(cls, url: str, token: str = DEFAULT_TOKEN) -> "Sandbox":
        """One that runs already, for example under `./dev run`."""
        return cls(url.rstrip("/"), url, token, None)

    def stop(self) -> None:
        """Stops it, if it was started from here."""
        self.remote.close()
        if self.running is not None:
            self.running.stop()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # People and chats

    def user(
        self,
        name: str = "Anna",
        *,
        language_code: str = "en",
        username: str | None = None,
        is_bot: bool = False,
        id: int | None = None,
        wrote_first: bool = False,
    ) -> User:
        """A new person. `wrote_first`: the bot may write without having heard from them."""
        shown = self.remote.post(
            "/sandbox/people",
            first_name=name,
            language_code=language_code,
            username=username,
            is_bot=is_bot,
            id=id,
            started=wrote_first,
        )
        return User(self, shown)

    def group(self, title: str = "Family", *, type: str = "group") -> Group:
        """A new group (or `supergroup`) with the bot in it."""
        return Group(self, self.remote.post("/sandbox/chats", type=type, title=title)["id"])

    def channel(self, title: str = "News") -> Channel:
        """A new channel with the bot in it."""
        return Channel(self, self.remote.post("/sandbox/chats", type="channel", title=title)["id"])

    # The journal

    def journal(self, since: int = 0) -> list[Accepted]:
        """Every message accepted after number `since`, in the order of acceptance."""
        items = self.remote.get("/sandbox/accepted", since=since)["items"]
        return [Accepted(**item) for item in items]

    def calls(self, method: str | None = None, since: int = 0) -> list[Call]:
        """Every call that arrived after number `since`, refused and faulted ones too."""
        items = self.remote.get("/sandbox/calls", since=since, method=method)["items"]
        return [Call(**item) for item in items]

    def refused(self, code: int = 429, since: int = 0) -> list[Call]:
        """The calls that were answered with an error `code`."""
        return [call for call in self.calls(since=since) if call.code == code]

    def wait_for_messages(self, count: int, within: float = 10.0, since: int = 0) -> list[Accepted]:
        """Returns once `count` messages were accepted after `since`; `TimeoutError` else."""
        deadline = time.monotonic() + within
        found: list[Accepted] = []
        while len(found) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(found)} of {count} messages within {within} s")
            after = found[-1].n if found else since
            page = self.remote.get("/sandbox/accepted", since=after, wait=left)
            found += [Accepted(**item) for item in page["items"]]
        return found

    def last(self) -> int:
        """The running number of the newest line of the journal, for `since`."""
        return int(self.remote.get("/sandbox/")["last"])

    def forget(self) -> None:
        """Empties the journal; numbers go on."""
        self.remote.delete("/sandbox/journal")

    # Faults and limits

    def fault(
        self,
        kind: str,
        *,
        method: str = "sendMessage",
        chat: "_Chat | int | None" = None,
        contains: str = "",
        nth: int | list[int] | None = None,
        times: int | None = None,
        probability: float = 1.0,
        seed: int = 0,
        accepted: bool = False,
        **details: object,
    ) -> Fault:
        """Scripts a fault; kinds and details (`seconds`, `retry_after` …) stand in `faults.KINDS`.

        `accepted`: the call is carried out all the same, only the answer goes wrong. `method="*"`
        hits all.
        """
        rule: JsonObject = {
            "kind": kind,
            "method": method,
            "chat_id": chat.id if isinstance(chat, _Chat) else chat,
            "contains": contains,
            "nth": nth or [],
            "times": times,
            "probability": probability,
            "seed": seed,
            "accepted": accepted,
            **details,
        }
        return Fault(int(self.remote.send("/sandbox/faults", rule)["id"]), self.remote)

    def faults_fired(self) -> dict[str, int]:
        """How often each kind of fault has hit, cleared ones too."""
        fired: dict[str, int] = self.remote.get("/sandbox/faults")["fired"]
        return fired

    def clear_faults(self) -> None:
        """Takes all faults away."""
        self.remote.delete("/sandbox/faults")

    def goes_down(self, seconds: float) -> None:
        """Refuses connections for so long and resets those that are open."""
        self.remote.post("/sandbox/outage", seconds=seconds)

    def limits(self, rates: Rates) -> None:
        """Sets the flood limits, for instance `Rates(enforced=True, chat_burst=1)`."""
        self.remote.post("/sandbox/limits", **asdict(rates))

    def violations(self) -> dict[str, int]:
        """How often each flood limit was hit."""
        found: dict[str, int] = self.remote.get("/sandbox/limits")["violations"]
        return found

    def holds_bot(self, seconds: float) -> None:
        """A bot-wide 429 for so long."""
        self.remote.post("/sandbox/limits", hold=seconds)

    # Updates and the rest

    def inject(self, update: JsonObject) -> int:
        """Queues a raw update, however strange; returns its id."""
        return int(self.remote.post("/sandbox/updates", update=update)["update_id"])

    def updates_jump_to(self, update_id: int) -> None:
        """The next update gets this id."""
        self.remote.post("/sandbox/updates/jump", to=update_id)

    def pending_updates(self) -> list[JsonObject]:
        """What the bot has not confirmed yet."""
        items: list[JsonObject] = self.remote.get("/sandbox/updates")["items"]
        return items

    def reset(self) -> None:
        """Nobody, nothing, no faults, no updates, first limits: as after a start."""
        self.remote.post("/sandbox/reset")


def _message(raw: JsonObject, *, by_bot: bool = False) -> Message:
    rows = raw.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = [
        Button(
            text=button["text"],
            data=button.get("callback_data"),
            url=button.get("url"),
            copy_text=button.get("copy_text", {}).get("text"),
        )
        for row in rows
        for button in row
    ]
    return Message(raw["message_id"], raw.get("text", ""), by_bot, buttons, raw)
