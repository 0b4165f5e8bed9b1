"""The Bot API methods, as documented at core.telegram.org/bots/api. One function each.

A method returns what stands beside `ok: true` (`result`, for some a `description`) or raises a
`Refusal`. `getUpdates` waits, so it is a coroutine of `Bot`; the others answer at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox import markup, refusals
from sandbox.bell import Bell
from sandbox.http import JsonObject
from sandbox.journal import Call, Journal
from sandbox.limits import Limits
from sandbox.parameters import Parameters
from sandbox.store import Store
from sandbox.updates import Updates
from sandbox.world import Chat, Person, World

LONGEST_ANSWER = 200  # characters of answerCallbackQuery's text


@dataclass(slots=True)
class Press:
    """A pressed button that the bot may answer once."""

    id: str
    chat_id: int
    message_id: int
    data: str
    answer: JsonObject | None = None
    bell: Bell = field(default_factory=Bell)


@dataclass(slots=True)
class Bot:
    """The bot whose token the sandbox serves, with everything its methods touch."""

    me: Person
    world: World
    updates: Updates
    limits: Limits
    journal: Journal
    store: Store
    count_utf16: bool = False
    presses: dict[str, Press] = field(default_factory=dict)
    commands: dict[str, list[JsonObject]] = field(default_factory=dict)

    async def get_updates(self, given: Parameters) -> list[JsonObject]:
        """`getUpdates`; raises `Refusal` 409 as `Updates.get` does."""
        _take_allowed_updates(self, given)
        return await self.updates.get(
            given.integer("offset"), given.integer("limit", 100), given.integer("timeout")
        )


Method = Callable[[Bot, Call, Parameters], JsonObject]


def get_me(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`getMe`"""
    extra = {"can_join_groups": True, "can_read_all_group_messages": False}
    return {"result": {**bot.me.as_user(), **extra, "supports_inline_queries": False}}


def send_message(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`sendMessage`"""
    raw = given.text("text")
    text, entities = _text(bot, given)
    keyboard = markup.inline_keyboard(given.structure("reply_markup"))
    chat = bot.world.chat_open_to_bot(given.chat())
    _keep_to_limits(bot, call, chat)
    content: JsonObject = {"text": text}
    if entities:
        content["entities"] = entities
    if keyboard:
        content["reply_markup"] = keyboard
    for name in ("link_preview_options", "reply_parameters"):
        if given.values.get(name):
            content[name] = given.structure(name)
    if given.flag("protect_content"):
        content["has_protected_content"] = True
    _quote(bot, chat, content)
    sender = None if chat.type == "channel" else bot.me.as_user()
    message = bot.world.post(chat, sender, content, by_bot=True)
    bot.journal.accept(call, time.time(), chat.id, message["message_id"], raw)
    return {"result": message}


def edit_message_text(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`editMessageText`"""
    text, entities = _text(bot, given)
    chat, message = _own_message(bot, given, "edit")
    changed: JsonObject = {"text": text}
    if entities:
        changed["entities"] = entities
    return _edit(bot, chat, message, changed, given)


def edit_message_reply_markup(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`editMessageReplyMarkup`"""
    chat, message = _own_message(bot, given, "edit")
    kept: JsonObject = {n: message[n] for n in ("text", "entities") if n in message}
    return _edit(bot, chat, message, kept, given)


def delete_message(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`deleteMessage`; in a private chat the person's messages too, as on Telegram."""
    chat, message = _message(bot, given, "delete")
    bot.world.remove(chat, message["message_id"])
    return {"result": True}


def answer_callback_query(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`answerCallbackQuery`"""
    press = bot.presses.get(given.text("callback_query_id"))
    if press is None:
        raise refusals.bad_request(
            "query is too old and response timeout expired or query ID is invalid"
        )
    text = given.text("text")
    if len(text) > LONGEST_ANSWER:
        raise refusals.bad_request("MESSAGE_TOO_LONG")
    press.answer = {"text": text, "show_alert": given.flag("show_alert")}
    press.bell.ring()
    return {"result": True}


def send_chat_action(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`sendChatAction`; shown nowhere, the journal has the call."""
    bot.world.chat_open_to_bot(given.chat())
    if not given.text("action"):
        raise refusals.bad_request("wrong parameter action in request")
    return {"result": True}


def set_my_commands(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`setMyCommands`, by language; scopes are not told apart."""
    commands = given.structure("commands")
    if not isinstance(commands, list):
        raise refusals.bad_request("can't parse commands: expected an Array of BotCommand")
    bot.commands[given.text("language_code")] = commands
    bot.store.put("commands", 0, bot.commands)
    return {"result": True}


def get_my_commands(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`getMyCommands`"""
    return {"result": bot.commands.get(given.text("language_code"), [])}


def set_webhook(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`setWebhook`: it is remembered and stops polling; nothing is ever delivered to it."""
    url = given.text("url")
    if not url:
        return delete_webhook(bot, call, given)
    if not url.lower().startswith("https://"):
        raise refusals.bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    _take_allowed_updates(bot, given)
    bot.updates.set_webhook(url, drop_pending=given.flag("drop_pending_updates"))
    return {"result": True, "description": "Webhook was set"}


def delete_webhook(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`deleteWebhook`"""
    was_set = bool(bot.updates.webhook)
    bot.updates.set_webhook("", drop_pending=given.flag("drop_pending_updates"))
    return {
        "result": True,
        "description": "Webhook was deleted" if was_set else "Webhook is already deleted",
    }


def get_webhook_info(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`getWebhookInfo`"""
    info: JsonObject = {
        "url": bot.updates.webhook,
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates.pending()),
    }
    if bot.updates.allowed:
        info["allowed_updates"] = bot.updates.allowed
    return {"result": info}


def get_chat(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    """`getChat`"""
    chat = bot.world.find_chat(given.chat())
    if chat is None or (chat.private and not chat.started):
        raise refusals.bad_request("chat not found")
    return {"result": bot.world.shape_of(chat)}


def _get_updates(bot: Bot, call: Call, given: Parameters) -> JsonObject:
    raise AssertionError("getUpdates waits: it is answered by Bot.get_updates")


METHODS: dict[str, Method] = {
    "getme": get_me,
    "getupdates": _get_updates,
    "sendmessage": send_message,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "sendchataction": send_chat_action,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "getchat": get_chat,
}


def _text(bot: Bot, given: Parameters) -> tuple[str, list[JsonObject]]:
    mode = given.text("parse_mode")
    text, entities = markup.parsed(given.text("text"), mode, count_utf16=bot.count_utf16)
    explicit = given.structure("entities")
    if not mode and isinstance(explicit, list):
        entities = explicit
    return text, entities


def _keep_to_limits(bot: Bot, call: Call, chat: Chat) -> None:
    refused = bot.limits.take(time.monotonic(), chat.id, group=chat.group)
    if refused is not None:
        call.limit, wait = refused
        raise refusals.too_many_requests(wait)


def _quote(bot: Bot, chat: Chat, content: JsonObject) -> None:
    reply = content.pop("reply_parameters", None)
    if not isinstance(reply, dict):
        return
    original = bot.world.message(chat, reply.get("message_id", 0))
    if original is not None:
        content["reply_to_message"] = {k: v for k, v in original.items() if k != "reply_to_message"}
    elif not reply.get("allow_sending_without_reply"):
        raise refusals.bad_request("message to be replied not found")


def _message(bot: Bot, given: Parameters, purpose: str) -> tuple[Chat, JsonObject]:
    chat = bot.world.chat_open_to_bot(given.chat())
    if not given.integer("message_id"):
        raise refusals.bad_request("message identifier is not specified")
    message = bot.world.message(chat, given.integer("message_id"))
    if message is None:
        raise refusals.bad_request(f"message to {purpose} not found")
    return chat, message


def _own_message(bot: Bot, given: Parameters, purpose: str) -> tuple[Chat, JsonObject]:
    chat, message = _message(bot, given, purpose)
    if chat.type != "channel" and message.get("from", {}).get("id") != bot.me.id:
        raise refusals.bad_request(f"message can't be {purpose}ed")
    return chat, message


def _edit(
    bot: Bot, chat: Chat, message: JsonObject, changed: JsonObject, given: Parameters
) -> JsonObject:
    keyboard = markup.inline_keyboard(given.structure("reply_markup"))
    if keyboard and keyboard["inline_keyboard"]:
        changed["reply_markup"] = keyboard
    before = {k: message[k] for k in ("text", "entities", "reply_markup") if k in message}
    if before == changed:
        raise refusals.bad_request(
            "message is not modified: specified new message content and reply markup "
            "are exactly the same as a current content and reply markup of the message"
        )
    edited = {k: v for k, v in message.items() if k not in before}
    edited |= {"edit_date": int(time.time()), **changed}
    bot.world.replace(chat, edited)
    return {"result": edited}


def _take_allowed_updates(bot: Bot, given: Parameters) -> None:
    if "allowed_updates" not in given.values:
        return
    kinds = given.structure("allowed_updates")
    if isinstance(kinds, list):
        bot.updates.allow([str(kind) for kind in kinds])
