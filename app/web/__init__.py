"""The cabinet and the admin zone: server-rendered pages over the same services as the API."""

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
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


class _PageCookies(SecureCookieSessionInterface):
    """Flask would make ready to read a signed cookie at every request: most have none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "HTTP_COOKIE" not in request.environ or self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


def register(app: Flask) -> Face:
    """Adds the pages to `app`."""
    app.url_map.converters["id"] = _Id
    with app.app_context():
        https = settings().https
    app.session_interface = _PageCookies()
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
