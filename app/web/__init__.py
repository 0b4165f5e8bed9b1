"""The cabinet and the admin zone: server-rendered pages over the same services as the API."""

from flask import Flask
from werkzeug.routing import IntegerConverter

from app.extensions import settings
from app.failures import Face
from app.web import (
    account,
    admin,
    cabinet,
    linking,
    pages,
    refusals,
    send_tokens,
    writing,
)


class _Id(IntegerConverter):
    """An id as this server writes one: no other digits, no leading zero, no more than a bigint."""

    regex = "[1-9][0-9]{0,17}"


def register(app: Flask) -> Face:
    """Adds the pages to `app`."""
    app.url_map.converters["id"] = _Id
    with app.app_context():
        https = settings().https
    # Holds the token of a form before there is a session, and what the next page says once.
    app.config.update(
        SESSION_COOKIE_NAME="__Host-page" if https else "page",
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    for area in (pages, cabinet, writing, linking, send_tokens, account, admin):
        app.register_blueprint(area.blueprint)
    return Face("web", refusals.owns, refusals.render)
