"""Who is looking at a page, and whether a form may be believed.

The cabinet knows people by the access cookie alone; whether its session lives is asked of the
database with each request. An unsafe request needs an origin of ours and a form token: the
session's own, or, before there is a session, one that the visitor's signed cookie holds.
"""

import hmac
import secrets

from flask import Blueprint, Request, g, request, session

from app import identity
from app.errors import CsrfFailed, NotFound, ServiceError, Unauthenticated
from app.identity import Caller

FIELD = "form_token"


def caller() -> Caller | None:
    """Who is signed in, if anybody is. Raises `ForeignOrigin` on an unsafe request."""
    if "web_caller" not in g:
        g.web_caller = _by_cookie(request)
    known: Caller | None = g.web_caller
    return known


def caller_if_known() -> Caller | None:
    """Who is signed in, as far as it can be told: for the frame of a page that says what failed,
    when the database may be away or the request is a forgery."""
    try:
        return caller()
    except Exception:
        g.web_caller = None
        return None


def signed_in() -> Caller:
    """Who is signed in. Raises `Unauthenticated`."""
    known = caller()
    if known is None:
        raise Unauthenticated
    return known


def admin() -> Caller:
    """The admin who is signed in. Raises `NotFound`: for everybody else there is no such page."""
    try:
        known = caller()
    except ServiceError:
        raise NotFound from None
    if known is None or not known.person.is_admin:
        raise NotFound
    return known


def now_is(known: Caller) -> None:
    """Who is signed in from now on, within the request that signs them in."""
    g.web_caller = known
    g.pop("language", None)


def form_token() -> str:
    """What a form on this page must carry."""
    known = caller_if_known()
    if known is not None:
        return known.csrf
    if FIELD not in session:
        session[FIELD] = secrets.token_urlsafe(32)
    token: str = session[FIELD]
    return token


def refuse_forgery() -> None:
    """Raises `ForeignOrigin` or `CsrfFailed` unless an unsafe request comes from one of our forms.

    A safe request passes.
    """
    if request.method in identity.SAFE_METHODS:
        return
    identity.refuse_foreign_origin(request)
    given = request.form.get(FIELD) or request.headers.get(identity.CSRF_HEADER, "")
    known = caller()
    if known is not None:
        identity.require_csrf(known, given)
    elif not _is_same(given, session.get(FIELD)):
        raise CsrfFailed


def for_members(blueprint: Blueprint) -> None:
    """Lets only those who are signed in to the pages of `blueprint`, and no forged form."""
    blueprint.before_request(_member_only)


def for_admins(blueprint: Blueprint) -> None:
    """Lets only admins to the pages of `blueprint`, and no forged form."""
    blueprint.before_request(_admin_only)


def for_everybody(blueprint: Blueprint) -> None:
    """Lets everybody to the pages of `blueprint`, but no forged form."""
    blueprint.before_request(refuse_forgery)


def _member_only() -> None:
    identity.refuse_foreign_origin(request)
    signed_in()
    refuse_forgery()


def _admin_only() -> None:
    admin()
    refuse_forgery()


def _by_cookie(from_request: Request) -> Caller | None:
    cookie = from_request.cookies.get(identity.access_cookie())
    if cookie is None:
        return None
    try:
        return identity.by_cookie(from_request, cookie, csrf=False)
    except Unauthenticated:
        return None


def _is_same(given: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(given.encode(), kept.encode())
