"""The polling loop: raw updates in the order of their ids, one at a time, confirmed when done.

Nothing is confirmed to Telegram before its effect is committed: the next call's offset does that.
The offset lives in memory only and is never a filter: ids jump after a quiet week, and another
server counts anew (https://core.telegram.org/bots/api#update), so a poller begins without one and
takes what it is given. An update that cannot be handled is set aside, and the rest goes on.
"""

import random
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask

from app import logs
from app.bot import handlers, updates, words
from app.bot.lease import Lease
from app.bot.sender import Sender
from app.failures import is_database_away
from app.services import polling
from app.stopping import Stopping
from app.telegram import BotApi, BotBroken, Ok, OtherPoller, Outcome, Wait, WebhookActive

log = logs.get(__name__)

APP = Path(__file__).parents[1]

POLL_SECONDS = 25
# After failures in a row: doubling, from the first to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# Somebody else's poller ends ours and we end theirs: not faster than this.
OTHER_POLLER_PAUSE = (5.0, 10.0)
WAIT_FOR_LEASE = 0.2
# How often an update is tried that fails because the database is away, before it is set aside.
TRIES = 5
CONFIRM_SECONDS = 0.5
REJECTED = (
    "Telegram rejects TELEGRAM_BOT_TOKEN, or TELEGRAM_API_URL is wrong: nothing is sent or received"
    " until this is corrected and everything restarted"
)


class Stop(BaseException):
    """Somebody asked the process to stop while it waited for Telegram."""


class Poller:
    """The loop; `run` is the main thread's, so that a signal may call `interrupt`."""

    def __init__(
        self, app: Flask, api: BotApi, lease: Lease, sender: Sender, stop: Stopping
    ) -> None:
        self._app = app
        self._api = api
        self._lease = lease
        self._sender = sender
        self._stop = stop
        self._calling = False
        self._introduced = False
        self._offset: int | None = None
        # What was handled and is confirmed by the next call.
        self._handled: set[int] = set()
        self._failures = 0
        self._complaint = ""
        self._rejected = False

    def run(self) -> None:
        """Polls while the lease is held, until `stop` is set; then confirms what was handled."""
        with suppress(Stop):
            while not self._stop.is_set():
                if self._lease.held:
                    self.step()
                else:
                    self._offset, self._handled = None, set()
                    self._stop.wait(WAIT_FOR_LEASE)
        self._confirm()

    def interrupt(self, *_: object) -> None:
        """Asks the loop to end: a call to Telegram is broken off, the handling of an update not."""
        already = self._stop.is_set()
        self._stop.tell()
        if self._calling and not already:
            raise Stop

    def step(self) -> None:
        """One call to Telegram and what follows from it."""
        outcome = self._call(self._poll if self._introduced else self._api.get_me)
        try:
            if isinstance(outcome, Ok):
                self._go_on(outcome.result)
            else:
                self._complain(outcome)
        except Exception as error:  # the database may be away; the loop goes on
            log.error("poller_failed", error=type(error).__name__)
            self._pause()

    def _go_on(self, result: Any) -> None:
        if not self._introduced:
            self._recover()
            self._introduce(result)
        elif isinstance(result, list) and (not result or self._take(result)):
            self._recover()
        else:
            # No updates at all, or the same ones once more: never ask as fast as it answers.
            self._say_once("Telegram gives updates that make no sense, or takes no confirmation")
            self._pause()

    def _poll(self) -> Outcome:
        """After trouble the first call is a short one: that it is over is known at once."""
        return self._api.get_updates(self._offset, 0 if self._complaint else POLL_SECONDS)

    def _call(self, method: Callable[[], Outcome]) -> Outcome:
        self._calling = True
        try:
            if self._stop.is_set():
                raise Stop
            return method()
        finally:
            self._calling = False

    def _introduce(self, me: Any) -> None:
        username = me.get("username") if isinstance(me, dict) else None
        if isinstance(username, str) and username:
            with self._app.app_context():
                polling.introduce(username)
        self._introduced = True
        # A convenience in people's Telegram; nothing waits for it, nothing needs it.
        threading.Thread(target=self._offer_commands, name="commands", daemon=True).start()

    def _offer_commands(self) -> None:
        for language in ("", *sorted(words.RUSSIAN_READERS)):
            meanings = {name: meaning.to(language) for name, meaning in words.COMMANDS.items()}
            self._api.set_commands(meanings, language)

    def _take(self, batch: list[Any]) -> bool:
        """Handles what came, in the order of the ids; says whether anything of it was new."""
        before, self._handled = self._handled, set()
        fresh = False
        for number, update in sorted(map(_numbered, batch), key=lambda pair: pair[0]):
            if number < 0:
                continue
            if number not in before | self._handled:
                if not self._handle(number, update):
                    return True
                fresh = True
            self._handled.add(number)
            self._offset = number + 1
        return fresh

    def _handle(self, number: int, update: Any) -> bool:
        """Handles one update or sets it aside; false if it must come again."""
        tried = 0
        while not self._stop.is_set() and self._lease.held:
            error = self._attempt(update)
            tried += 1
            if error is None:
                return True
            if not is_database_away(error) or tried >= TRIES:
                if self._set_aside(number, update, error):
                    return True
                tried = 0
            self._stop.wait(FIRST_PAUSE * 2 ** min(tried, 3))
        return False

    def _attempt(self, update: Any) -> Exception | None:
        try:
            with self._app.app_context():
                replies = handlers.handle(updates.read(update))
        except Exception as error:
            return error
        for reply in replies:
            self._sender.reply(reply)
        return None

    def _set_aside(self, number: int, update: Any, error: Exception) -> bool:
        """Keeps what an update looked like; false if the database does not take it now."""
        name = _named(error)
        try:
            with self._app.app_context():
                polling.set_aside(number, name, updates.shape(update))
        except Exception as problem:
            log.error("update_not_set_aside", update_id=number, error=type(problem).__name__)
            return False
        log.error("update_set_aside", update_id=number, error=name)
        return True

    def _complain(self, outcome: Outcome) -> None:
        """Says once what is wrong, does what may help, and waits."""
        match outcome:
            case OtherPoller():
                self._say_once("another call of getUpdates took over: who else polls for this bot?")
                self._stop.wait(random.uniform(*OTHER_POLLER_PAUSE))
                return
            case WebhookActive():
                self._say_once("a webhook was set for this bot; removing it, updates are kept")
                if isinstance(self._call(self._api.delete_webhook), Ok):
                    return
            case BotBroken():
                self._say_once(REJECTED, code=outcome.code)
                self._hold_sending()
            case Wait(seconds=seconds):
                self._say_once("Telegram asks the poller to wait")
                self._stop.wait(min(seconds, LONGEST_PAUSE))
                return
            case _:
                self._say_once("Telegram is away", reason=outcome.description)
        self._pause()

    def _hold_sending(self) -> None:
        if not self._rejected:
            with self._app.app_context():
                polling.rejected()
            self._rejected = True

    def _say_once(self, complaint: str, **details: object) -> None:
        """Logs it unless it was the last complaint, too."""
        if complaint != self._complaint:
            log.warning(complaint, **details)
        self._complaint = complaint

    def _recover(self) -> None:
        """Telegram answers as it should."""
        if self._rejected:
            with self._app.app_context():
                polling.accepted()
            self._rejected = False
        if self._complaint:
            log.info("polling again")
        self._complaint = ""
        self._failures = 0

    def _pause(self) -> None:
        self._failures += 1
        self._stop.wait(min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE))

    def _confirm(self) -> None:
        """Tells Telegram what was handled, so that the next poller does not get it again."""
        if self._handled:
            last = threading.Thread(target=self._api.get_updates, args=(self._offset, 0))
            last.daemon = True
            last.start()
            last.join(CONFIRM_SECONDS)


def _named(error: Exception) -> str:
    """What was raised and where in our code; not its text: a driver's has values in it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(APP)]
    where = ours[-1]
    return f"{type(error).__name__} at {Path(where.filename).stem}.{where.name}:{where.lineno}"


def _numbered(update: Any) -> tuple[int, Any]:
    """An update and its id; -1 if it has none that makes sense."""
    number = update.get("update_id") if isinstance(update, dict) else None
    return (number if type(number) is int and 0 <= number < 2**63 - 1 else -1), update
