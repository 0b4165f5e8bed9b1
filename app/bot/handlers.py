"""From what happened to what is done and said: one service call for an event, then the replies.

Everything here may happen twice, since an update comes again when the poller died before Telegram
heard that it was handled; doing it twice has the effect of once.
"""

import re
from collections.abc import Callable

from app import logs
from app.bot import words
from app.bot.replies import UNDO, Acknowledge, Change, Listener, Manner, Reply, cabinet
from app.bot.updates import Event, InGroup, Membership, Pressed, Wrote
from app.errors import ChatTaken, ServiceError, TooManyFailures
from app.services import chats, messages
from app.services.chats import Owner

log = logs.get(__name__)

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w{1,64})?(?:\s+(.*))?", re.DOTALL)
_TOKEN = re.compile(r"(?:/start(?:@\w{1,64})?\s+)?([0-9a-f]{64})", re.ASCII)
# Also one that lost a few characters, or stands among words: it is never kept as a message.
_LIKE_A_TOKEN = re.compile(r"[0-9A-Fa-f]{60}")


def handle(event: Event) -> list[Reply]:
    """Does what `event` asks for and gives the replies. A failure that services name becomes a
    reply; anything else is raised."""
    try:
        return _do(event)
    except ServiceError as error:
        log.warning("bot_refused", code=error.code)
        return _trouble(event)


def _do(event: Event) -> list[Reply]:
    match event:
        case Wrote(person=person):
            return [_answer(event, Listener(person.telegram_id, person.language))]
        case Pressed():
            return _pressed(event)
        case Membership(telegram_id, blocked):
            (chats.blocked if blocked else chats.unblocked)(telegram_id)
        case InGroup(chat_id, language):
            listener = Listener(chat_id, language)
            return [listener.hears_sometimes(words.ONLY_PRIVATE, Manner.NEUTRAL)]
    return []


def _trouble(event: Event) -> list[Reply]:
    match event:
        case Wrote(person=person):
            return [Listener(person.telegram_id, person.language).hears(words.TROUBLE)]
        case Pressed(person=person, callback_id=callback_id):
            note = words.TROUBLE.to(person.language)
            return [Acknowledge(person.telegram_id, callback_id, note)]
    return []


def _answer(event: Wrote, listener: Listener) -> Reply:
    owner = chats.owner_of(event.person.telegram_id)
    if owner is not None and owner.blocked:
        chats.unblocked(event.person.telegram_id)
    if event.text is None:
        return listener.hears_sometimes(words.ONLY_TEXT, Manner.NEUTRAL)
    if _LIKE_A_TOKEN.search(event.text):
        return _token(event, event.text, listener)
    match = None if event.secondhand else _COMMAND.fullmatch(event.text)
    command = _COMMANDS.get(match[1].lower()) if match else None
    if command is not None:
        return command(event, owner, listener)
    if owner is None:
        return _give_code(event, owner, listener)
    return _keep(event, event.text, owner, listener)


def _token(event: Wrote, text: str, listener: Listener) -> Reply:
    if event.secondhand:
        return listener.hears(words.SECONDHAND_TOKEN)
    match = _TOKEN.fullmatch(text.strip())
    if match is None:
        return listener.hears(words.TOKEN_NOT_ALONE)
    try:
        link = chats.link_by_token(match[1], event.person)
    except TooManyFailures as error:
        return listener.hears_to_wait(error.retry_after)
    except ChatTaken:
        return listener.hears(words.CHAT_TAKEN)
    if link is None:
        return listener.hears(words.WRONG_TOKEN, cabinet=cabinet())
    return listener.hears_of_link(link.username, link.chat_id)


def _keep(event: Wrote, text: str, owner: Owner, listener: Listener) -> Reply:
    if messages.receive(owner.account_id, owner.chat_id, event.message_id, text):
        return listener.hears_sometimes(words.SAVED, Manner.RECEIPT, username=owner.username)
    return listener.hears_sometimes(words.NOT_SAVED, Manner.NEUTRAL)


def _start(event: Wrote, owner: Owner | None, listener: Listener) -> Reply:
    if owner is not None:
        return _status(event, owner, listener)
    return listener.hears_code(chats.link_code(event.person), first_time=True)


def _give_code(event: Wrote, owner: Owner | None, listener: Listener) -> Reply:
    return listener.hears_code(chats.link_code(event.person), first_time=False)


def _status(event: Wrote, owner: Owner | None, listener: Listener) -> Reply:
    if owner is None:
        return listener.hears(words.STATUS_UNLINKED)
    return listener.hears(words.STATUS_LINKED, username=owner.username)


def _stop(event: Wrote, owner: Owner | None, listener: Listener) -> Reply:
    if owner is None or not chats.leave(event.person.telegram_id):
        return listener.hears(words.STATUS_UNLINKED)
    return listener.hears(words.STOPPED, username=owner.username)


def _help(event: Wrote, owner: Owner | None, listener: Listener) -> Reply:
    return listener.hears(words.HELP, cabinet=cabinet())


_COMMANDS: dict[str, Callable[[Wrote, Owner | None, Listener], Reply]] = {
    "start": _start,
    "code": _give_code,
    "status": _status,
    "stop": _stop,
    "help": _help,
}


def _pressed(event: Pressed) -> list[Reply]:
    person = event.person
    undone = _undo(event)
    if undone is None:
        note = words.NOTHING_TO_UNDO.to(person.language)
        return [Acknowledge(person.telegram_id, event.callback_id, note)]
    note = words.UNDONE_BRIEFLY.to(person.language)
    replies: list[Reply] = [Acknowledge(person.telegram_id, event.callback_id, note)]
    if event.message_id is not None:
        text = words.UNDONE.to(person.language, username=undone.username)
        replies.append(Change(person.telegram_id, event.message_id, text))
    return replies


def _undo(event: Pressed) -> Owner | None:
    """Undoes the link that the button names, if it still is this chat's; whose it was."""
    match = re.fullmatch(rf"{UNDO}([0-9]{{1,18}})", event.data, re.ASCII)
    if match is None:
        return None
    owner = chats.owner_of(event.person.telegram_id)
    undone = owner is not None and chats.leave(event.person.telegram_id, int(match[1]))
    return owner if undone else None
