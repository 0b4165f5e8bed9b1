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

from sandbox.cast import Button, Channel, Chat, Group, Message, Press, User
from sandbox.http import JsonObject
from sandbox.journal import Accepted, Call
from sandbox.limits import Rates
from sandbox.remote import Remote, SandboxError
from sandbox.running import InProcess, InThread, Running
from sandbox.server import DEFAULT_TOKEN, DEFAULT_USERNAME, Settings

__all__ = [
    "DEFAULT_TOKEN", "Accepted", "Button", "Call", "Channel", "Chat", "Fault", "Group", "Message",
    "Press", "Sandbox", "SandboxError", "User", "wait_for",
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
        return User(self.remote, shown)

    def group(self, title: str = "Family", *, type: str = "group") -> Group:
        """A new group (or `supergroup`) with the bot in it."""
        return Group(self.remote, self.remote.post("/sandbox/chats", type=type, title=title)["id"])

    def channel(self, title: str = "News") -> Channel:
        """A new channel with the bot in it."""
        return Channel(
            self.remote, self.remote.post("/sandbox/chats", type="channel", title=title)["id"]
        )

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
        chat: Chat | int | None = None,
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
            "chat_id": chat.id if isinstance(chat, Chat) else chat,
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
