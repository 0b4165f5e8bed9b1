"""The one client of the Telegram Bot API, for delivery and for the bot.

    api = telegram.bot_api(settings)
    match api.send(chat_id, "text"):
        case telegram.Sent(message_id=number): …
        case telegram.Wait(seconds=seconds): …

Every call returns an `Outcome` and raises nothing for what the network, a proxy or Telegram may
do; every call is over within 25 seconds (a long poll: a few seconds after its own time). No call
is ever repeated here: what to do about an outcome is for the caller to decide. No text, token or
URL gets into an outcome's description.

`outcomes` holds the values and the classifier, `transport` the HTTP, `client` the methods.
"""

from app.telegram.client import BotApi, Keyboard, bot_api
from app.telegram.outcomes import (
    Ambiguous,
    BotBroken,
    ChatGone,
    Moved,
    NotSent,
    Ok,
    OtherPoller,
    Outcome,
    Refused,
    Sent,
    TooLong,
    Wait,
    WebhookActive,
)

__all__ = [
    "Ambiguous",
    "BotApi",
    "BotBroken",
    "ChatGone",
    "Keyboard",
    "Moved",
    "NotSent",
    "Ok",
    "OtherPoller",
    "Outcome",
    "Refused",
    "Sent",
    "TooLong",
    "Wait",
    "WebhookActive",
    "bot_api",
]
