"""Tells chats what happened to them elsewhere: linked by a code, unlinked, replaced by another.

The rows are written by `services.chats` together with what they tell of; here they are sent, by the
active poller only, and removed once the chat was told or cannot be. A poller that dies in between
makes a chat hear it twice; none is lost to a crash.
"""

import threading
from dataclasses import dataclass
from functools import partial
from time import monotonic

from flask import Flask

from app import logs
from app.bot import words
from app.bot.lease import Lease
from app.bot.replies import Listener, Say, cabinet
from app.bot.sender import Sender
from app.services import polling
from app.services.polling import NoticeEntry
from app.telegram import ChatGone, Moved, Ok, Outcome, Refused, Sent, TooLong

log = logs.get(__name__)

INTERVAL = 0.5
BATCH = 50
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
# Telegram may have taken it each time; more than this often nobody should hear it.
ATTEMPTS = 5


@dataclass(slots=True)
class _Attempt:
    """How far a notice has come; not before `due` it is tried again."""

    due: float = float("inf")
    count: int = 0


def wording(notice: NoticeEntry) -> Say:
    """The message that a notice becomes."""
    listener = Listener(notice.telegram_id, notice.language)
    if notice.kind == "linked" and notice.chat_id is not None:
        return listener.hears_of_link(notice.username, notice.chat_id)
    if notice.kind == "replaced":
        return listener.hears(words.REPLACED, username=notice.username, cabinet=cabinet())
    return listener.hears(words.UNLINKED, username=notice.username)


class Notices:
    """One thread that looks for rows and hands them to the sender."""

    def __init__(self, app: Flask, sender: Sender, lease: Lease, stop: threading.Event) -> None:
        self._app = app
        self._sender = sender
        self._lease = lease
        self._stop = stop
        self._attempts: dict[int, _Attempt] = {}
        threading.Thread(target=self._run, name="notices", daemon=True).start()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            if not self._lease.held:
                self._attempts.clear()
                continue
            try:
                with self._app.app_context():
                    self._send_due()
            except Exception as error:  # the database may be away; the thread looks again
                log.warning("notices_unread", error=type(error).__name__)

    def _send_due(self) -> None:
        now = monotonic()
        waiting = [number for number, tried in self._attempts.items() if tried.due > now]
        for notice in polling.notices(BATCH, but=waiting):
            attempt = self._attempts.setdefault(notice.id, _Attempt())
            attempt.due = float("inf")
            attempt.count += 1
            self._sender.send(wording(notice), partial(self._done, notice.id, attempt))

    def _done(self, notice_id: int, attempt: _Attempt, outcome: Outcome | None) -> None:
        if attempt.count < ATTEMPTS and not _is_final(outcome):
            pause = min(FIRST_PAUSE * 2 ** (attempt.count - 1), LONGEST_PAUSE)
            attempt.due = monotonic() + max(pause, getattr(outcome, "seconds", 0.0))
            return
        try:
            polling.told(notice_id)
        except Exception as error:  # told all the same, and perhaps once more
            log.warning("notice_kept", error=type(error).__name__)
            attempt.due = monotonic() + FIRST_PAUSE
            return
        self._attempts.pop(notice_id, None)


def _is_final(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Ok | Sent | ChatGone | Refused | Moved | TooLong)
