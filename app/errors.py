"""The few kinds of failure: a public code, an HTTP status, and words for the person who reads them.

Services raise these; each face renders them in its own shape. Nothing here renders, and nothing
here knows a request. The docstring of a kind is its default message; `code` is stable and public.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

FieldErrors = Mapping[str, Sequence[str]]


class Sentence(str):
    """Words with values in them, `Sentence("At most {most} characters.", most=64)`.

    It is its English text, and remembers template and values, by which a face that speaks another
    language finds its own words.
    """

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        sentence = super().__new__(cls, template.format(**values))
        sentence.template, sentence.values = template, values
        return sentence


class ServiceError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        detail: str | None = None,
        *,
        fields: FieldErrors | None = None,
        retry_after: float | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        """`detail` replaces the docstring; `fields` names the bad ones; `retry_after` is seconds;
        `allow` lists the methods of a 405."""
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.fields: dict[str, list[str]] = {k: list(v) for k, v in (fields or {}).items()}
        self.retry_after = retry_after
        self.allow = tuple(allow)
        super().__init__(self.code)


class Malformed(ServiceError):
    """The request could not be read."""

    code, status = "malformed", 400


class Unauthenticated(ServiceError):
    """Sign in first: no valid credential came with this request."""

    code, status = "unauthenticated", 401


class InvalidToken(Unauthenticated):
    """This token is not valid or has expired."""

    code = "invalid_token"


class WrongCredentials(Unauthenticated):
    """Wrong username or password."""

    code = "wrong_credentials"


class Forbidden(ServiceError):
    """This credential does not allow that."""

    code, status = "forbidden", 403


class ForeignOrigin(Forbidden):
    """A request with a cookie or Basic credential must come from this site's own pages."""

    code = "foreign_origin"


class CsrfFailed(Forbidden):
    """The X-CSRF-TOKEN header is missing or does not belong to this session."""

    code = "csrf_failed"


class WrongPassword(Forbidden):
    """The current password is wrong."""

    code = "wrong_password"


class RegistrationClosed(Forbidden):
    """Registration is closed on this server."""

    code = "registration_closed"


class NotFound(ServiceError):
    """There is no such thing here."""

    code, status = "not_found", 404


class NoChat(NotFound):
    """No Telegram chat is linked to this account."""

    code = "no_chat"


class NoSuchPage(NotFound):
    """Invalid page."""

    code = "no_such_page"


class MethodNotAllowed(ServiceError):
    """This address does not take that method."""

    code, status = "method_not_allowed", 405


class NotAcceptable(ServiceError):
    """This can only be answered in another format."""

    code, status = "not_acceptable", 406


class Conflict(ServiceError):
    """That cannot be done in the present state."""

    code, status = "conflict", 409


class UsernameTaken(Conflict):
    """This username is taken, or looks like one that is."""

    code = "username_taken"


class ChatTaken(Conflict):
    """This Telegram chat is linked to another account; send /stop to the bot there first."""

    code = "chat_taken"


class NotRetriable(Conflict):
    """Only a failed, expired or cancelled message can be sent again."""

    code = "not_retriable"


class NotCancellable(Conflict):
    """Only a message of which nothing was sent can be cancelled."""

    code = "not_cancellable"


class TooLarge(ServiceError):
    """The request body is too large."""

    code, status = "too_large", 413


class UnsupportedMediaType(ServiceError):
    """This address does not read that content type."""

    code, status = "unsupported_media_type", 415


class Invalid(ServiceError):
    """Some fields are not as they should be."""

    code, status = "invalid", 422


class WrongLinkCode(Invalid):
    """This code is wrong, used or expired; ask the bot for a new one."""

    code = "wrong_link_code"


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used with another request within the last 24 hours."""

    code = "idempotency_key_reused"


class TooManyRequests(ServiceError):
    """Too many requests; wait as long as Retry-After says."""

    code, status = "too_many_requests", 429


class TooManyFailures(TooManyRequests):
    """Too many wrong attempts; wait as long as Retry-After says."""

    code = "too_many_failures"


class QuotaUsedUp(TooManyRequests):
    """Today's quota of messages is used up."""

    code = "quota_used_up"


class HeaderTooLarge(ServiceError):
    """The request's headers are too large."""

    code, status = "header_too_large", 431


class Internal(ServiceError):
    """The server made a mistake; it has been logged under this request id."""

    code, status = "internal", 500


class Unavailable(ServiceError):
    """A part of the server is away for a moment; try again soon."""

    code, status = "unavailable", 503
