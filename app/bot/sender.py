"""Sends replies and notices from a few threads, so that no call to Telegram delays the poller.

In order for each chat, and no chat delays another (`lines`). Nothing is stored: what cannot be sent
soon is dropped, since who misses an answer asks again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep

from flask import Flask

from app import logs
from app.bot.lines import Lines
from app.bot.replies import Acknowledge, Change, Reply, Say
from app.bot.throttle import Throttle
from app.config import Settings
from app.services import polling
from app.telegram import BotApi, NotSent, Ok, Outcome, Sent, Wait

log = logs.get(__name__)

THREADS = 8
WAITING_MOST = 1000
# An answer that comes later than this has lost its question.
STALE_SECONDS = 60.0
# What one call may take, and the longest wait that Telegram may ask for one reply.
CALL_SECONDS = 10.0
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 1.0

Done = Callable[[Outcome | None], None]


@dataclass(slots=True)
class _Task:
    reply: Reply
    since: float
    done: Done | None
    tried: bool = False


class Sender:
    """The threads; they end with the process."""

    def __init__(self, app: Flask, api: BotApi, stop: threading.Event) -> None:
        settings: Settings = app.config["SETTINGS"]
        self._app = app
        self._api = api
        self._stop = stop
        self._throttle = Throttle()
        self._lines = Lines[_Task](1.0 / settings.telegram_chat_rate, WAITING_MOST)
        for number in range(THREADS):
            threading.Thread(target=self._work, name=f"sender-{number}", daemon=True).start()

    def reply(self, reply: Reply) -> None:
        """Sends `reply` soon, unless this chat has heard enough."""
        if not isinstance(reply, Say) or self._throttle.allows(reply, monotonic()):
            self.send(reply)

    def send(self, reply: Reply, done: Done | None = None) -> None:
        """Sends `reply` soon; `done` hears, in another thread, what came of it: null if nothing."""
        if not self._lines.put(reply.chat_id, _Task(reply, monotonic(), done)):
            log.warning("reply_dropped", reason="too many wait")
            if done is not None:
                done(None)

    def drain(self, seconds: float) -> None:
        """Gives what was asked for already so many seconds to be sent."""
        deadline = monotonic() + seconds
        while self._lines.waiting and monotonic() < deadline:
            sleep(0.01)

    def _work(self) -> None:
        while True:
            chat_id, task = self._lines.take()
            with self._app.app_context():
                outcome = self._attempt(task)
                pause = None if task.tried else _worth_waiting(outcome)
                task.tried = True
                if pause is None:
                    self._finish(task, outcome)
            if pause is None:
                self._lines.done(chat_id)
            else:
                self._lines.again(chat_id, pause)

    def _attempt(self, task: _Task) -> Outcome | None:
        if monotonic() - task.since > STALE_SECONDS:
            return None
        try:
            return self._call(task.reply)
        except Exception as error:  # the database may be away; the thread serves other chats, too
            log.error("reply_failed", error=type(error).__name__)
            return None

    def _call(self, reply: Reply) -> Outcome:
        match reply:
            case Acknowledge():
                return self._api.answer_callback(reply.callback_id, reply.text)
            case Change():
                return self._api.edit_message(reply.chat_id, reply.message_id, reply.text)
            case Say():
                self._stop.wait(polling.reply_slot(reply.chat_id))
                deadline = monotonic() + CALL_SECONDS
                keyboard = reply.keyboard
                return self._api.send(
                    reply.chat_id, reply.text, keyboard=keyboard, deadline=deadline
                )

    def _finish(self, task: _Task, outcome: Outcome | None) -> None:
        if not isinstance(outcome, Ok | Sent):
            log.warning("reply_dropped", reason=type(outcome).__name__ if outcome else "too late")
        if task.done is not None:
            task.done(outcome)


def _worth_waiting(outcome: Outcome | None) -> float | None:
    """Seconds until a second attempt, if nothing was done and it is soon enough."""
    match outcome:
        case Wait(seconds=seconds) if seconds <= PATIENCE_SECONDS:
            return seconds
        case NotSent():
            return PAUSE_SECONDS
    return None
