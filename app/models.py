"""All tables at a glance: columns, relations, small predicates.

Rows remember; they decide nothing. Rules live in `services`, the ways of a message to Telegram in
`delivery`. Secrets stand here only as hashes. Every time is UTC.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    Uuid,
    func,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.extensions import Model


def _now() -> datetime:
    # Looked up at each call: a test moves the clock.
    return clock.now()


def _key() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(), primary_key=True)


def _ref(target: str, ondelete: str = "CASCADE", **options: Any) -> Any:
    return mapped_column(BigInteger, ForeignKey(target, ondelete=ondelete), **options)


def _when(**options: Any) -> Any:
    return mapped_column(DateTime(timezone=True), **options)


class Account(Model):
    """A registered person."""

    __tablename__ = "account"
    __table_args__ = (
        Index("ix_account_erased", "id", postgresql_where=sql("erased_at IS NOT NULL")),
    )

    id: Mapped[int] = _key()
    public_id: Mapped[UUID] = mapped_column(
        Uuid, unique=True, server_default=sql("gen_random_uuid()")
    )
    username: Mapped[str] = mapped_column(Text)
    # The look-alike form of the username: what makes two usernames the same (services.names).
    username_key: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    greeting: Mapped[str | None] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    is_admin: Mapped[bool] = mapped_column(server_default=sql("false"))
    disabled_at: Mapped[datetime | None] = _when()
    # Erasure has begun: nothing of the account can be used, its rows are going in batches.
    erased_at: Mapped[datetime | None] = _when()
    created_at: Mapped[datetime] = _when(default=_now)

    @property
    def active(self) -> bool:
        return self.disabled_at is None and self.erased_at is None


class SignIn(Model):
    """One session: a sign-in of an account. Its tokens are derived from this row and a key."""

    __tablename__ = "sign_in"
    __table_args__ = (Index(None, "account_id"), Index(None, "expires_at"))

    id: Mapped[int] = _key()
    account_id: Mapped[int] = _ref("account.id")
    account: Mapped[Account] = relationship()
    # Which refresh token is the valid one; its predecessor is honoured for a few seconds.
    generation: Mapped[int] = mapped_column(server_default=sql("0"))
    rotates: Mapped[bool] = mapped_column(server_default=sql("true"))
    rotated_at: Mapped[datetime] = _when(default=_now)
    access_lifetime: Mapped[int]
    user_agent: Mapped[str] = mapped_column(Text, server_default="")
    network: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = _when(default=_now)
    last_used_at: Mapped[datetime] = _when(default=_now)
    expires_at: Mapped[datetime] = _when()
    ended_at: Mapped[datetime | None] = _when()


class KnownNetwork(Model):
    """A network from which an account has signed in: it is still heard during an attack."""

    __tablename__ = "known_network"

    account_id: Mapped[int] = _ref("account.id", primary_key=True)
    network: Mapped[str] = mapped_column(Text, primary_key=True)
    last_at: Mapped[datetime] = _when(default=_now)


class SendToken(Model):
    """A named, revocable credential that may only send messages."""

    __tablename__ = "send_token"
    __table_args__ = (Index(None, "account_id"),)

    id: Mapped[int] = _key()
    account_id: Mapped[int] = _ref("account.id")
    account: Mapped[Account] = relationship()
    name: Mapped[str] = mapped_column(Text)
    # Issued for a purpose that has one token at a time (a dialect's), or null for a person's own.
    purpose: Mapped[str | None] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = _when(default=_now)
    last_used_at: Mapped[datetime | None] = _when()
    expires_at: Mapped[datetime | None] = _when()
    revoked_at: Mapped[datetime | None] = _when()


class Chat(Model):
    """A private Telegram chat, linked to an account until `unlinked_at`."""

    __tablename__ = "chat"
    __table_args__ = (
        Index(
            "uq_chat_account",
            "account_id",
            unique=True,
            postgresql_where=sql("unlinked_at IS NULL"),
        ),
        Index(
            "uq_chat_telegram",
            "telegram_id",
            unique=True,
            postgresql_where=sql("unlinked_at IS NULL"),
        ),
        Index(None, "account_id"),
    )

    id: Mapped[int] = _key()
    account_id: Mapped[int] = _ref("account.id")
    account: Mapped[Account] = relationship()
    telegram_id: Mapped[int] = mapped_column(BigInteger)
    title: Mapped[str] = mapped_column(Text, server_default="")
    username: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    linked_at: Mapped[datetime] = _when(default=_now)
    unlinked_at: Mapped[datetime | None] = _when()
    blocked_at: Mapped[datetime | None] = _when()


class LinkToken(Model):
    """A secret of the API's that a person sends to the bot; derived: only its hash is kept."""

    __tablename__ = "link_token"
    __table_args__ = (
        Index(
            "uq_link_token_live",
            "account_id",
            unique=True,
            postgresql_where=sql("used_at IS NULL AND voided_at IS NULL"),
        ),
        Index(None, "account_id"),
    )

    id: Mapped[int] = _key()
    account_id: Mapped[int] = _ref("account.id")
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = _when(default=_now)
    expires_at: Mapped[datetime] = _when()
    voided_at: Mapped[datetime | None] = _when()
    used_at: Mapped[datetime | None] = _when()
    chat_id: Mapped[int | None] = mapped_column(BigInteger)


class LinkCode(Model):
    """A short secret of the bot's that a person posts to the API; derived: only a hash is kept."""

    __tablename__ = "link_code"
    __table_args__ = (
        Index(
            "uq_link_code_live",
            "telegram_id",
            unique=True,
            postgresql_where=sql("used_at IS NULL AND voided_at IS NULL"),
        ),
        Index(None, "created_at"),
    )

    id: Mapped[int] = _key()
    telegram_id: Mapped[int] = mapped_column(BigInteger)
    title: Mapped[str] = mapped_column(Text, server_default="")
    username: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, index=True)
    created_at: Mapped[datetime] = _when(default=_now)
    expires_at: Mapped[datetime] = _when()
    voided_at: Mapped[datetime | None] = _when()
    used_at: Mapped[datetime | None] = _when()
    account_id: Mapped[int | None] = _ref("account.id", index=True)


class Lane(Model):
    """The FIFO of one account's outgoing messages: unit of ordering, pacing and fairness.

    `wake_at` is null while there is nothing to do. `lease_no` is the fence: whoever writes for a
    turn names the lease it holds. The row's lock orders everything that happens to the lane.
    """

    __tablename__ = "lane"
    __table_args__ = (Index("ix_lane_due", "wake_at", postgresql_where=sql("wake_at IS NOT NULL")),)

    id: Mapped[int] = _key()
    account_id: Mapped[int] = _ref("account.id", unique=True)
    next_seq: Mapped[int] = mapped_column(BigInteger, server_default=sql("1"))
    wake_at: Mapped[datetime | None] = _when()
    leased_until: Mapped[datetime | None] = _when()
    lease_no: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    # The Telegram chat that messages go to: here, so that the row's lock covers it as well, and no
    # turn begun after a relink can have read the former one.
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    # Nothing goes to that chat before: its pace, or Telegram's word.
    paced_until: Mapped[datetime | None] = _when()
    # Why new messages are held rather than queued; null when they can be delivered.
    hold_reason: Mapped[str | None] = mapped_column(Text, server_default="no_chat")
    quota_day: Mapped[datetime | None] = _when()
    quota_used: Mapped[int] = mapped_column(server_default=sql("0"))


class Direction(StrEnum):
    OUT = "out"
    IN = "in"


class Status(StrEnum):
    HELD = "held"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    RECEIVED = "received"


OPEN = (Status.HELD, Status.QUEUED, Status.SENDING)
_IS_OPEN = sql("status IN ('held', 'queued', 'sending')")
_IS_SETTLED = sql("status NOT IN ('held', 'queued', 'sending')")


class Message(Model):
    """What was accepted over HTTP (`out`), or written to the bot in a linked chat (`in`)."""

    __tablename__ = "message"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index("ix_message_open", "lane_id", "seq", postgresql_where=_IS_OPEN),
        # At most one message of a lane is on its way, whatever a worker believes.
        Index(
            "uq_message_sending",
            "lane_id",
            unique=True,
            postgresql_where=sql("status = 'sending'"),
        ),
        # For nothing but looking for what has expired: its condition follows from that question
        # alone. Else a planner that believes few messages to be open, as it does before it has
        # counted a flood, would go through all of them for the head of one lane.
        Index(
            "ix_message_expiry",
            "expires_at",
            postgresql_where=sql("status IN ('held', 'queued') AND expires_at IS NOT NULL"),
        ),
        Index(
            "ix_message_unhappy",
            "account_id",
            "status",
            "id",
            postgresql_where=sql("status NOT IN ('queued', 'sending', 'sent')"),
        ),
        Index(
            "uq_message_received",
            "chat_id",
            sql("(telegram_message_ids[1])"),
            unique=True,
            postgresql_where=sql("direction = 'in'"),
        ),
        Index("ix_message_created", "created_at"),
        # Settled rows alone: one that is still written to would enter its words each time.
        Index(
            "ix_message_search",
            func.account_words(sql("account_id"), sql("text")),
            postgresql_using="gin",
            postgresql_where=_IS_SETTLED,
        ),
    )

    id: Mapped[int] = _key()
    account_id: Mapped[int] = _ref("account.id")
    # Without foreign keys: lane, chat and token go only with their account, after its messages,
    # and a key would make their removal read this whole table.
    lane_id: Mapped[int | None] = mapped_column(BigInteger)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    direction: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    # The greeting line as rendered at acceptance; empty when the text goes out bare.
    greeting: Mapped[str] = mapped_column(Text, server_default="")
    silent: Mapped[bool] = mapped_column(server_default=sql("false"))
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    parts: Mapped[int] = mapped_column(server_default=sql("1"))
    parts_sent: Mapped[int] = mapped_column(server_default=sql("0"))
    # The part from which on they are half as long, since Telegram found it too long.
    halved_from: Mapped[int | None]
    attempts_made: Mapped[int] = mapped_column(server_default=sql("0"))
    # Failures in a row on the present part: what the retry schedule counts.
    failures: Mapped[int] = mapped_column(server_default=sql("0"))
    possible_duplicate: Mapped[bool] = mapped_column(server_default=sql("false"))
    # out: the chat that the parts sent so far went to; in: the chat it came from.
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    send_token_id: Mapped[int | None] = mapped_column(BigInteger)
    telegram_message_ids: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), server_default=sql("'{}'")
    )
    created_at: Mapped[datetime] = _when(default=_now)
    sent_at: Mapped[datetime | None] = _when()
    expires_at: Mapped[datetime | None] = _when()


class Attempt(Model):
    """One call to the Bot API for one part of one message, with its outcome."""

    __tablename__ = "attempt"
    __table_args__ = (Index(None, "message_id"),)

    id: Mapped[int] = _key()
    message_id: Mapped[int] = _ref("message.id")
    part: Mapped[int]
    at: Mapped[datetime] = _when(default=_now)
    outcome: Mapped[str] = mapped_column(Text)
    code: Mapped[int | None]
    description: Mapped[str | None] = mapped_column(Text)
    latency_ms: Mapped[int]


class IdempotencyKey(Model):
    """A key that a client gave with a POST: the same key within 24 hours is the same message."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index(None, "created_at"), Index(None, "message_id"))

    account_id: Mapped[int] = _ref("account.id", primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    message_id: Mapped[int | None] = _ref("message.id")
    accepted_status: Mapped[str | None] = mapped_column(Text)
    accepted_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = _when(default=_now)


class Hit(Model):
    """One event that a named limit counts (services.limits): a wrong password, a registration."""

    __tablename__ = "hit"
    __table_args__ = (Index(None, "limit", "subject", "at"), Index(None, "at"))

    id: Mapped[int] = _key()
    limit: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = _when(default=_now)


class Bot(Model):
    """The one bot: who it is, its pace, whether it may send, who polls for it. A single row."""

    __tablename__ = "bot"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    username: Mapped[str | None] = mapped_column(Text)
    # The whole bot's bucket: the theoretical arrival time of the next message (delivery.pacing).
    paced_until: Mapped[datetime | None] = _when()
    # Nothing is sent before this; Telegram said so, or answers nothing sensible at all.
    held_until: Mapped[datetime | None] = _when()
    hold_reason: Mapped[str | None] = mapped_column(Text)
    # Failures in a row, over all chats, to reach Telegram: the breaker counts them.
    failures: Mapped[int] = mapped_column(server_default=sql("0"))
    flooded_chat: Mapped[int | None] = mapped_column(BigInteger)
    flooded_at: Mapped[datetime | None] = _when()
    # An operator paused delivery.
    paused_at: Mapped[datetime | None] = _when()
    poller: Mapped[str | None] = mapped_column(Text)
    polling_until: Mapped[datetime | None] = _when()


class Heartbeat(Model):
    """A worker or a poller that lives: it rewrites its row every few seconds."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = _when(default=_now)
    at: Mapped[datetime] = _when(default=_now)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))


class Notice(Model):
    """Something the bot has yet to tell a chat that did not ask: it was linked, or replaced."""

    __tablename__ = "notice"

    id: Mapped[int] = _key()
    telegram_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    # The account that it speaks of, and the chat row that its button undoes.
    account_id: Mapped[int | None] = _ref("account.id", index=True)
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = _when(default=_now)


class PoisonUpdate(Model):
    """An update that could not be handled, set aside: its shape, never its contents."""

    __tablename__ = "poison_update"

    update_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    error: Mapped[str] = mapped_column(Text)
    shape: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = _when(default=_now)


class AuditEvent(Model):
    """A security event, without personal content."""

    __tablename__ = "audit_event"
    __table_args__ = (Index(None, "account_id", "id"), Index(None, "at"))

    id: Mapped[int] = _key()
    at: Mapped[datetime] = _when(default=_now)
    kind: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int | None] = _ref("account.id")
    actor_id: Mapped[int | None] = _ref("account.id", "SET NULL", index=True)
    network: Mapped[str] = mapped_column(Text, server_default="")
    request_id: Mapped[str] = mapped_column(Text, server_default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
