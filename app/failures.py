"""From whatever was raised to one of the kinds in `errors`, rendered by the face of that path.

Flask lets a blueprint render only what its own views raise; an unknown path or a wrong method
belongs to nobody. So one handler for the whole application asks which face owns the path. How a
failure looks is the face's; what it is called stands in `errors`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg2
from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from app import errors, logs
from app.errors import ServiceError

log = logs.get(__name__)

_BY_STATUS: dict[int, type[ServiceError]] = {
    400: errors.Malformed,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    409: errors.Conflict,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.Invalid,
    429: errors.TooManyRequests,
    431: errors.HeaderTooLarge,
    503: errors.Unavailable,
}


@dataclass(frozen=True, slots=True)
class Face:
    """A part of the program that speaks to clients: which paths are its, how it shows a failure."""

    name: str
    owns: Callable[[str], bool]
    render: Callable[[ServiceError], Response]


def handle(app: Flask, faces: Sequence[Face]) -> None:
    """Makes `faces` render every failure of `app`: the first that owns the path, else the last."""

    def render(error: Exception) -> Response:
        failure = kind_of(error)
        owner = next((face for face in faces if face.owns(request.path)), faces[-1])
        response = owner.render(failure)
        if failure.retry_after is not None:
            response.headers["Retry-After"] = str(max(1, round(failure.retry_after)))
        # A face that shows a 405 as something else does not tell what there is.
        if failure.allow and response.status_code == failure.status:
            response.headers["Allow"] = ", ".join(failure.allow)
        return response

    app.register_error_handler(Exception, render)
    # flask-smorest has put its own here, for every face.
    app.register_error_handler(HTTPException, render)


def kind_of(error: Exception) -> ServiceError:
    """The kind of failure that `error` is; what is nobody's fault but ours is logged."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, WrongMethod):
        return errors.MethodNotAllowed(allow=sorted(error.valid_methods or ()))
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        return _BY_STATUS.get(error.code, errors.Malformed)()
    if is_database_away(error):
        log.error("database_unavailable", error=type(error).__name__, code=_sqlstate(error))
        return errors.Unavailable(retry_after=2)
    log.exception("internal_error")
    return errors.Internal()


def is_database_away(error: Exception) -> bool:
    """Whether the database, not the request, is the reason: gone, restarting, full, too slow."""
    if isinstance(error, PoolTimeout) or getattr(error, "connection_invalidated", False):
        return True
    return isinstance(_driver_error(error), psycopg2.OperationalError | psycopg2.InterfaceError)


def _driver_error(error: Exception) -> BaseException | None:
    """What the driver raised, where SQLAlchemy has put it into an error of its own or has not."""
    return error.orig if isinstance(error, DBAPIError) else error


def _sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code for what happened, if it was PostgreSQL that said so."""
    code: str | None = getattr(_driver_error(error), "pgcode", None)
    return code
