"""The client: one method for each method of the Bot API that we call.

telebot names the methods and their parameters; it reads no answers. Its own reading turns a
success with an unknown field into an exception, after which a message would be sent twice, and
its own sending puts text and token into the URL. So its sender is replaced by ours, which hands
the bytes through it unread. Its retries stay off: they repeat what may have been done.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from time import monotonic
from typing import Any

from telebot import apihelper
from telebot.types import BotCommand

from app.config import Settings
from app.telegram.outcomes import Answer, NoAnswer, Outcome, classify, classify_sent
from app.telegram.transport import Transport

# Every call is over by then, so that a process can always stop within 30 seconds.
CALL_SECONDS = 25.0
# What a long poll may take on top of the time that Telegram holds it.
POLL_SLACK_SECONDS = 8.0
ALLOWED_UPDATES = ["message", "my_chat_member", "callback_query"]

Keyboard = Sequence[Sequence[dict[str, Any]]]


class BotApi:
    """The Bot API of one bot at one server. Threads may share it; it keeps no state of theirs."""

    def __init__(self, token: str, api_url: str, proxy: str = "") -> None:
        self._base = f"{api_url}/bot{token}"
        self._transport = Transport(proxy)

    def send(
        self,
        chat_id: int,
        text: str,
        *,
        silent: bool = False,
        keyboard: Keyboard | None = None,
        deadline: float | None = None,
    ) -> Outcome:
        """sendMessage, plain text and no markup: `Sent`, or why not.

        `keyboard`: rows of InlineKeyboardButton objects. `deadline`: a `time.monotonic()` by
        which the call is over, 25 s from now if absent.
        """
        answer = self._call(
            apihelper.send_message,
            deadline or monotonic() + CALL_SECONDS,
            chat_id,
            text,
            disable_notification=silent or None,
            reply_markup=_inline(keyboard),
        )
        return classify_sent(answer)

    def get_me(self, seconds: float = CALL_SECONDS) -> Outcome:
        """getMe: `Ok` with the bot's User object. `seconds`: the call is over by then."""
        return classify(self._call(apihelper.get_me, monotonic() + seconds))

    def get_updates(self, offset: int | None, seconds: int = 25) -> Outcome:
        """getUpdates, held by Telegram for up to `seconds` (50 at most): `Ok` with a list of raw
        Update objects in the order of their ids.

        Else `OtherPoller`, `WebhookActive`, `BotBroken`, `Wait`, or `NotSent`/`Ambiguous`, which
        mean the same here: ask again.
        """
        answer = self._call(
            apihelper.get_updates,
            monotonic() + seconds + POLL_SLACK_SECONDS,
            offset=offset,
            allowed_updates=ALLOWED_UPDATES,
            long_polling_timeout=seconds,
        )
        return classify(answer)

    def delete_webhook(self) -> Outcome:
        """deleteWebhook, keeping the pending updates: `Ok`."""
        call = apihelper.delete_webhook
        return classify(self._call(call, monotonic() + CALL_SECONDS, drop_pending_updates=False))

    def set_commands(self, commands: Mapping[str, str], language: str = "") -> Outcome:
        """setMyCommands: what clients offer after a slash, as command: meaning. `Ok`."""
        listed = [BotCommand(name, meaning) for name, meaning in commands.items()]
        deadline = monotonic() + CALL_SECONDS
        call = apihelper.set_my_commands
        return classify(self._call(call, deadline, listed, language_code=language or None))

    def answer_callback(self, callback_id: str, text: str = "") -> Outcome:
        """answerCallbackQuery: ends the button's spinner, with a note of up to 200 characters."""
        call = apihelper.answer_callback_query
        return classify(self._call(call, monotonic() + CALL_SECONDS, callback_id, text or None))

    def edit_message(
        self, chat_id: int, message_id: int, text: str, keyboard: Keyboard | None = None
    ) -> Outcome:
        """editMessageText: `Ok`, also when the message reads so already."""
        answer = self._call(
            apihelper.edit_message_text,
            monotonic() + CALL_SECONDS,
            text=text,
            chat_id=chat_id,
            message_id=message_id,
            reply_markup=_inline(keyboard),
        )
        return classify(answer)

    def _call(
        self, method: Callable[..., Any], deadline: float, *args: Any, **kwargs: Any
    ) -> Answer | NoAnswer:
        _sending.transport, _sending.deadline = self._transport, deadline
        answer: Answer | NoAnswer = method(self._base, *args, **kwargs)
        return answer


@cache
def bot_api(settings: Settings) -> BotApi:
    """The client for `settings`: one for a process, so that its connections are kept alive."""
    return BotApi(settings.telegram_bot_token, settings.telegram_api_url, settings.telegram_proxy)


class _Sending(threading.local):
    """By which transport, and until when, this thread makes its present call."""

    transport: Transport
    deadline: float


_sending = _Sending()


class _Unread:
    """What telebot takes for a successful answer; it hands back the real one unread."""

    text = ""

    def __init__(self, answer: Answer | NoAnswer) -> None:
        self._answer = answer

    def json(self) -> dict[str, Any]:
        return {"ok": True, "result": self._answer}


def _post(_verb: str, url: str, params: dict[str, Any] | None = None, **_: Any) -> _Unread:
    return _Unread(_sending.transport.post(url, params or {}, _sending.deadline))


# telebot puts the "token" and the method's name into this; ours is the bot's whole address.
apihelper.API_URL = "{0}/{1}"
apihelper.CUSTOM_REQUEST_SENDER = _post
# What telebot takes for a long poll of 0 seconds, which it thinks absent.
apihelper.LONG_POLLING_TIMEOUT = 0


def _inline(keyboard: Keyboard | None) -> str | None:
    return json.dumps({"inline_keyboard": keyboard}) if keyboard else None
