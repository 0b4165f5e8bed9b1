"""The shapes of the API: what each request may have, what each answer has; fields and their words.

Shape only. A rule that needs more than the value itself (how long a text may be, which passwords
are common, whose name is taken) is the services'. Unknown fields are refused everywhere.
"""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Regexp

from app.api.fields import Decimal, Flag, Instant, Moment, Whole
from app.services.history import WAIT_MAX

DAY = 86400
YEAR = 365 * DAY
PAGE_MAX = 100
STATUSES = ("held", "queued", "sending", "sent", "failed", "expired", "cancelled", "received")

Text = fields.String
Many = fields.List


def _says(words: str, **more: Any) -> dict[str, Any]:
    """What documents tell of a field."""
    return {"description": words, **more}


class Username(Text):
    """A username that is being chosen; `documents` adds the rule."""


class NewPassword(Text):
    """A password that is being chosen; `documents` adds the rule."""


class Line(Text):
    """One line of free text; `documents` adds the rule."""


class MessageText(Text):
    """The text of a message; `documents` adds the rule."""


class Answer(Schema):
    """A shape of answers: every field is always there."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = True

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """What is answered is a value of ours or a dictionary; neither has names with dots."""
        return obj.get(attr, default) if isinstance(obj, dict) else getattr(obj, attr, default)


class Problem(Schema):
    """A failure, as RFC 9457 has it."""

    type = Text(required=True, metadata=_says("Always `about:blank`: `code` says what it is."))
    title = Text(required=True, metadata=_says("The words of the status.", example="Not Found"))
    status = fields.Integer(required=True, metadata=_says("The status.", example=404))
    code = Text(
        required=True,
        metadata=_says("Which failure it is: stable, for programs.", example="not_found"),
    )
    detail = Text(
        required=True,
        metadata=_says("What was wrong: for people.", example="There is no such thing here."),
    )
    request_id = Text(
        required=True,
        metadata=_says("The same as `X-Request-ID`; the log has it.", example="b3f1…"),
    )
    errors = fields.Dict(
        keys=Text(),
        values=Many(Text()),
        metadata=_says(
            "What is wrong with which field or parameter.", example={"text": ["Missing data."]}
        ),
    )


class Registration(Schema):
    username = Username(
        required=True,
        metadata=_says(
            "2 to 64 Latin or Cyrillic letters (one of the two), digits and `. _ @ + -`. Case and "
            "letters that look alike make no second name; a few names are reserved.",
            example="anna",
        ),
    )
    password = NewPassword(required=True, metadata={"example": "correct horse battery"})
    name = Line(
        required=True,
        metadata=_says("What the greeting above each message calls you.", example="Анна"),
    )


class Login(Schema):
    username = Text(required=True, metadata={"example": "anna"})
    password = Text(required=True, metadata={"example": "correct horse battery"})


class ProfileChange(Schema):
    name = Line(metadata=_says("What the greeting calls you.", example="Анна"))
    greeting = Line(
        allow_none=True,
        metadata=_says(
            "Your own line above each message, in which `{name}` is your name; null is the usual "
            "`{name}, я получил от тебя сообщение:`.",
            example="{name}, news from the servers:",
        ),
    )
    password = NewPassword()
    current_password = Text(
        metadata=_says("The password you have now; needed with `password`, and only then.")
    )

    @validates_schema
    def _both_passwords_or_none(self, data: dict[str, Any], **_: Any) -> None:
        if "password" in data and "current_password" not in data:
            raise ValidationError("Needed to set another password.", "current_password")
        if "current_password" in data and "password" not in data:
            raise ValidationError("Needed with the current password.", "password")


class NewMessage(Schema):
    text = MessageText(
        required=True,
        metadata=_says(
            "Arrives as it is written, never read as markup; a long one arrives in parts.",
            example="The backup is done.",
        ),
    )
    silent = Flag(load_default=False, metadata=_says("Arrives without a sound."))
    greeting = Flag(load_default=True, metadata=_says("Whether the greeting stands above it."))
    expires_in = Whole(
        1,
        YEAR,
        metadata=_says(
            "Seconds after which it is no longer worth delivering; the server's own limit "
            "(24 hours, unless it was set otherwise) holds too."
        ),
    )


class NewSendToken(Schema):
    name = Line(
        required=True,
        metadata=_says("What it is for, so that you know it again.", example="backup script"),
    )
    expires_in = Whole(
        1, 10 * YEAR, metadata=_says("Seconds it is to live; without it, until it is revoked.")
    )


class LinkCode(Schema):
    code = Text(
        required=True,
        metadata=_says(
            "What the bot answered, like `K7QM2XWP`; case, spaces and hyphens do not matter."
        ),
    )


class Paging(Schema):
    limit = Decimal(1, PAGE_MAX, load_default=50, metadata=_says("How many at most."))
    cursor = Text(
        validate=Length(max=100),
        metadata=_says("`next_cursor` of the page before; good for the same filter only."),
    )


class DirectoryPaging(Paging):
    cursor = Text(
        validate=Regexp(r"^[1-9][0-9]{0,17}$", error="This cursor is not one of this list's."),
        metadata=_says("`next_cursor` of the page before."),
    )


class HistoryFilter(Paging):
    status = Text(validate=OneOf(STATUSES), metadata=_says("Only those with this status."))
    direction = Text(
        validate=OneOf(("out", "in")), metadata=_says("Only what was sent, or what was received.")
    )
    since = Instant(metadata=_says("Only those created at this time or later."))
    until = Instant(metadata=_says("Only those created before this time, not before `since`."))
    q = Text(
        validate=[Length(1, 200), Regexp(r"^[^\x00]*$", error="NUL cannot be searched for.")],
        metadata=_says("Only those with all these words; the beginning of a word is enough."),
    )

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("Must not be before `since`.", "until")


class Wait(Schema):
    wait = Decimal(
        0,
        WAIT_MAX,
        load_default=0,
        metadata=_says("Seconds to hold on until the message is settled; answers at once if not."),
    )


class Account(Answer):
    id = fields.UUID(attribute="public_id")
    username = Text()
    name = Text()
    created_at = Moment()


class Profile(Account):
    greeting = Text(allow_none=True, metadata=_says("Your own line above messages, if any."))


class Neighbour(Answer):
    id = fields.UUID(attribute="public_id")
    username = Text()


class Session(Answer):
    id = fields.Integer()
    created_at = Moment()
    last_used_at = Moment(metadata=_says("To the minute."))
    expires_at = Moment()
    user_agent = Text(metadata=_says("What signed in, in its own words."))
    network = Text(metadata=_says("Where from: an IPv4 address, or the /64 of an IPv6 address."))
    current = Flag(metadata=_says("Whether this very request belongs to it."))


class TokenPair(Answer):
    access = Text(metadata=_says("For the Authorization header, after `Bearer`."))
    refresh = Text(metadata=_says("For `POST /v1/auth/refresh`, once."))
    token_type = Text(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(metadata=_says("Seconds that `access` lives."))


class LinkInvitation(Answer):
    token = Text(metadata=_says("64 characters, good for one chat.", pattern="^[0-9a-f]{64}$"))
    expires_at = Moment()
    bot = Text(allow_none=True, metadata=_says("The bot's name; null until it has run once."))
    url = Text(allow_none=True, metadata=_says("Opens the chat with the bot; a tap links it."))
    command = Text(metadata=_says("What to write to the bot instead."))


class SendToken(Answer):
    id = fields.Integer()
    name = Text()
    prefix = Text(metadata=_says("How the token begins.", example="gz_4f0Zp"))
    created_at = Moment()
    last_used_at = Moment(allow_none=True, metadata=_says("To the minute."))
    expires_at = Moment(allow_none=True)


class IssuedSendToken(SendToken):
    token = Text(metadata=_says("The token itself: shown this once."))


class Chat(Answer):
    id = fields.Integer()
    telegram_id = fields.Integer(metadata=_says("Telegram's number of the chat."))
    title = Text(metadata=_says("The name of the person there."))
    username = Text(allow_none=True, metadata=_says("Their name in Telegram, without `@`."))
    linked_at = Moment()
    blocked_at = Moment(
        allow_none=True, metadata=_says("Since when the bot is blocked there; messages are held.")
    )


class Attempt(Answer):
    part = fields.Integer(metadata=_says("Which part of the text it was, from 1."))
    at = Moment(
        metadata=_says(
            "When the call began; if its worker died, the last time at which that worker is known"
            " to have been at it."
        )
    )
    outcome = Text(metadata=_says("What came of it.", example="sent"))
    code = fields.Integer(allow_none=True, metadata=_says("Telegram's error code, if it gave one."))
    description = Text(allow_none=True, metadata=_says("Telegram's own words."))
    latency_ms = fields.Integer()


class Message(Answer):
    id = fields.Integer()
    direction = Text(metadata={"enum": ["out", "in"]})
    text = Text()
    status = Text(metadata={"enum": list(STATUSES)})
    silent = Flag()
    parts = fields.Integer(metadata=_says("How many parts the text goes out in."))
    parts_sent = fields.Integer()
    attempts_made = fields.Integer(
        metadata=_says("Calls to Telegram, but for those it answered with 429.")
    )
    reason = Text(allow_none=True, metadata=_says("Why it is held, or failed.", example="no_chat"))
    possible_duplicate = Flag(
        metadata=_says("The answer to a call was lost, so a part may have arrived twice.")
    )
    created_at = Moment()
    sent_at = Moment(allow_none=True)
    expires_at = Moment(allow_none=True)
    telegram_message_ids = Many(
        fields.Integer(), metadata=_says("Telegram's ids of the parts sent.")
    )


class MessageWithAttempts(Message):
    attempts = Many(fields.Nested(Attempt), metadata=_says("Every call to Telegram for it."))


class Listing(Answer):
    """Some of a list, and where the next page begins."""

    next_cursor = Text(allow_none=True, metadata=_says("Null at the end of the list."))


class Sessions(Listing):
    items = Many(fields.Nested(Session))


class SendTokens(Listing):
    items = Many(fields.Nested(SendToken))


class Directory(Listing):
    items = Many(fields.Nested(Neighbour))


class History(Listing):
    items = Many(fields.Nested(Message))


class Alive(Answer):
    status = Text(metadata={"enum": ["ok"]})


class Part(Answer):
    status = Text(metadata={"enum": ["ok", "degraded", "failed"]})
    detail = Text(metadata=_says("Why it is not ok; else empty."))


class Readiness(Answer):
    status = Text(metadata={"enum": ["ready", "degraded", "unready"]})
    parts = fields.Dict(keys=Text(), values=fields.Nested(Part))
