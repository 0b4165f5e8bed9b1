"""Linking a private Telegram chat to an account, in both directions; unlinking; blocking.

At most one account a chat and one chat an account at a time: the unique indexes decide, the lane's
lock, taken before any other, only makes the race polite. Binding is immediate and is undone by one
button in the chat. What is sent where is the delivery engine's; this decides whose chat is whose.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.delivery import outbox
from app.errors import ChatTaken, InvalidToken, NoChat
from app.extensions import db, transaction
from app.models import Account, Chat, LinkCode, LinkToken, Notice
from app.services import audit, limits, link_codes, tokens
from app.services.people import Person, TelegramPerson, Visitor

# The bot is the visitor when an update, not a request, is what happened.
BY_BOT = Visitor(network="telegram")


@dataclass(frozen=True, slots=True)
class LinkedChat:
    """The chat of an account, as its owner sees it."""

    id: int
    telegram_id: int
    title: str
    username: str | None
    language: str | None
    linked_at: datetime
    blocked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Link:
    """What came of linking: which chat row, and the username it now belongs to."""

    chat_id: int
    username: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The account that a chat belongs to, for the bot's words."""

    chat_id: int
    account_id: int
    username: str
    name: str
    blocked: bool


def of(person: Person) -> LinkedChat:
    """The chat linked to this person's account. Raises `NoChat`."""
    chat = _current(db.session(), person.id)
    if chat is None:
        raise NoChat
    return _linked(chat)


def owner_of(telegram_id: int) -> Owner | None:
    """The account that this chat is linked to, if any."""
    row = db.session.execute(
        select(Chat.id, Chat.account_id, Chat.blocked_at, Account.username, Account.name)
        .join(Account, Account.id == Chat.account_id)
        .where(Chat.telegram_id == telegram_id, Chat.unlinked_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    return Owner(row.id, row.account_id, row.username, row.name, row.blocked_at is not None)


def link_by_code(person: Person, code: str, visitor: Visitor) -> LinkedChat:
    """Links the chat that the bot gave `code` to; any case, spaces and hyphens do not matter.

    Raises `WrongLinkCode`, `ChatTaken`, and `TooManyFailures` after 5 wrong ones in 10 minutes.
    """
    hit = _count_guess(person)
    with transaction() as session:
        linked = _linked(_redeem_code(session, person, code, visitor, hit))
    outbox.ring()
    return linked


def link_by_code_for(
    purpose: str, person: Person, code: str, visitor: Visitor
) -> tokens.SendTokenEntry:
    """Links as `link_by_code` does, and makes the one send token for `purpose` (a dialect's).

    Both or neither; a new code from the person's own chat replaces the token. Raises the same.
    """
    hit = _count_guess(person)
    with transaction() as session:
        _redeem_code(session, person, code, visitor, hit)
        issued = tokens.replace_send_token(session, person.id, purpose, visitor)
    outbox.ring()
    return issued


def link_by_token(token: str, telegram: TelegramPerson) -> Link | None:
    """Links the chat that sent this link token; null when the token links nothing.

    Unknown, expired, used and voided tokens are one and the same null; the same token from the same
    chat gets the same answer again. Raises `ChatTaken`, and `TooManyFailures` when this chat sent
    too many wrong ones.
    """
    with transaction() as session:
        hit = limits.take(session, limits.LINK_TOKEN, f"chat {telegram.telegram_id}")
    with transaction() as session:
        row = _locked_token(session, token)
        chat = _redeem(session, row, telegram) if row else None
        if row is None or chat is None:
            return None
        limits.give_back(session, [hit])
        link = Link(chat.id, session.get_one(Account, row.account_id).username)
    outbox.ring()
    return link


def link_code(telegram: TelegramPerson) -> str:
    """The code of this chat that can be posted to the API: the present one, or a new one."""
    with transaction() as session:
        return link_codes.present_or_new(session, telegram)


def unlink(person: Person, visitor: Visitor) -> None:
    """Unlinks a person's chat and tells it; what waits is held. Raises `NoChat`."""
    with transaction() as session:
        outbox.lock(session, person.id)
        chat = _current(session, person.id)
        if chat is None:
            raise NoChat
        _unlink(session, chat, visitor)
        session.add(_notice("unlinked", chat, chat))


def leave(telegram_id: int, chat_id: int | None = None) -> bool:
    """Unlinks from within the chat: `/stop`, or the button under the greeting ("not me").

    With `chat_id` only that very link is undone. Says whether there was one.
    """
    with transaction() as session:
        chat = _locked_chat(session, telegram_id)
        if chat is None or chat_id not in (None, chat.id):
            return False
        _unlink(session, chat, BY_BOT)
        return True


def blocked(telegram_id: int) -> None:
    """The person blocked the bot: what waits is held until they unblock it."""
    with transaction() as session:
        if chat := _locked_chat(session, telegram_id):
            chat.blocked_at = clock.now()
            settle(session, chat.account_id)


def unblocked(telegram_id: int) -> None:
    """The person unblocked the bot, or wrote to it: what was held goes out."""
    with transaction() as session:
        chat = _locked_chat(session, telegram_id)
        if chat is None or chat.blocked_at is None:
            return
        chat.blocked_at = None
        settle(session, chat.account_id)
    outbox.ring()


def settle(session: Session, account_id: int) -> None:
    """Holds or releases an account's messages as its state says, within the caller's transaction.

    The one place that knows why a message is held: the account is disabled, has no chat, or its
    chat blocked the bot.
    """
    session.flush()
    row = session.execute(
        select(Account.disabled_at, Chat.id, Chat.blocked_at)
        .outerjoin(Chat, (Chat.account_id == Account.id) & Chat.unlinked_at.is_(None))
        .where(Account.id == account_id)
    ).one()
    if row.disabled_at is not None:
        outbox.hold(session, account_id, "disabled")
    elif row.id is None:
        outbox.hold(session, account_id, "no_chat")
    elif row.blocked_at is not None:
        outbox.hold(session, account_id, "blocked")
    else:
        outbox.release(session, account_id)


def _count_guess(person: Person) -> int:
    """Counts a code before it is looked at, in a transaction that a wrong one does not undo."""
    with transaction() as session:
        return limits.take(session, limits.LINK_CODE, limits.of_account(person.id))


def _redeem_code(session: Session, person: Person, code: str, visitor: Visitor, hit: int) -> Chat:
    outbox.lock(session, person.id)
    row = link_codes.claimed(session, code)
    if not session.get_one(Account, person.id, populate_existing=True).active:
        raise InvalidToken  # shut while this request was under way
    chat = _bind(session, person.id, _telegram_person(row), visitor)
    row.used_at = clock.now()
    row.account_id = person.id
    session.add(_notice("linked", chat, chat))
    limits.give_back(session, [hit])
    return chat


def _redeem(session: Session, row: LinkToken, telegram: TelegramPerson) -> Chat | None:
    if row.used_at is not None:
        chat = _by_telegram(session, telegram.telegram_id)
        return chat if chat is not None and chat.id == row.chat_id else None
    if row.voided_at is not None or row.expires_at <= clock.now():
        return None
    chat = _bind(session, row.account_id, telegram, BY_BOT)
    row.used_at = clock.now()
    row.chat_id = chat.id
    return chat


def _bind(session: Session, account_id: int, telegram: TelegramPerson, visitor: Visitor) -> Chat:
    """Makes `telegram` the chat of this account, whose lane is locked; the one before is told."""
    former = _current(session, account_id)
    if former is not None and former.telegram_id == telegram.telegram_id:
        _describe(former, telegram)
        former.blocked_at = None
        settle(session, account_id)
        return former
    if _by_telegram(session, telegram.telegram_id) is not None:
        raise ChatTaken
    if former is not None:
        _unlink(session, former, visitor)
        session.add(_notice("replaced", former, None))
        session.flush()
    chat = Chat(account_id=account_id, telegram_id=telegram.telegram_id)
    _describe(chat, telegram)
    session.add(chat)
    try:
        session.flush()
    except IntegrityError:
        raise ChatTaken from None
    settle(session, account_id)
    audit.record(session, "chat_linked", account_id, visitor, chat_id=chat.id)
    return chat


def _describe(chat: Chat, telegram: TelegramPerson) -> None:
    chat.title = telegram.title
    chat.username = telegram.username
    chat.language = telegram.language


def _unlink(session: Session, chat: Chat, visitor: Visitor) -> None:
    chat.unlinked_at = clock.now()
    settle(session, chat.account_id)
    audit.record(session, "chat_unlinked", chat.account_id, visitor, chat_id=chat.id)


def _notice(kind: str, to: Chat, undo: Chat | None) -> Notice:
    return Notice(
        telegram_id=to.telegram_id,
        kind=kind,
        language=to.language,
        account_id=to.account_id,
        chat_id=undo.id if undo else None,
    )


def _current(session: Session, account_id: int) -> Chat | None:
    return session.scalar(
        select(Chat).where(Chat.account_id == account_id, Chat.unlinked_at.is_(None))
    )


def _locked_token(session: Session, token: str) -> LinkToken | None:
    """The row of a link token, the lane of its account locked; null when the account is shut."""
    of_token = LinkToken.token_hash == tokens.digest(token)
    account_id = session.scalar(select(LinkToken.account_id).where(of_token))
    if account_id is None:
        return None
    outbox.lock(session, account_id)
    return session.scalar(
        select(LinkToken)
        .join(Account, Account.id == LinkToken.account_id)
        .where(of_token, Account.disabled_at.is_(None), Account.erased_at.is_(None))
    )


def _locked_chat(session: Session, telegram_id: int) -> Chat | None:
    """The linked row of a Telegram chat, the lane of its account locked."""
    chat = _by_telegram(session, telegram_id)
    if chat is None:
        return None
    outbox.lock(session, chat.account_id)
    session.refresh(chat)
    return chat if chat.unlinked_at is None else None


def _by_telegram(session: Session, telegram_id: int) -> Chat | None:
    return session.scalar(
        select(Chat).where(Chat.telegram_id == telegram_id, Chat.unlinked_at.is_(None))
    )


def _linked(chat: Chat) -> LinkedChat:
    return LinkedChat(
        id=chat.id,
        telegram_id=chat.telegram_id,
        title=chat.title,
        username=chat.username,
        language=chat.language,
        linked_at=chat.linked_at,
        blocked_at=chat.blocked_at,
    )


def _telegram_person(row: LinkCode) -> TelegramPerson:
    return TelegramPerson(row.telegram_id, row.title, row.username, row.language)
