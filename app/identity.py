"""A request's credential -> who is calling: bearer, cookie + CSRF, Basic, send token.

Used by every face. It reads headers and cookies and asks services; it decides nothing about what a
caller may do beyond which kinds of credential count, and it renders nothing.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from flask import Request, Response, g

from app import metrics
from app.errors import (
    CsrfFailed,
    Forbidden,
    ForeignOrigin,
    InvalidToken,
    Unauthenticated,
    WrongCredentials,
)
from app.extensions import settings
from app.services import sessions, signing_in, tokens
from app.services.people import Person, Visitor

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-TOKEN"
REFRESH_PATH = "/v1/auth"
# RFC 9110: the scheme's name is case-insensitive. JWT is dialect 1's word for Bearer.
_BEARER = re.compile(r"(?:bearer|jwt) ([A-Za-z0-9._~+/=-]+)", re.IGNORECASE | re.ASCII)
_BASIC = re.compile(r"basic ([A-Za-z0-9+/=_-]+)", re.IGNORECASE | re.ASCII)


class Scheme(StrEnum):
    BEARER = "bearer"
    COOKIE = "cookie"
    BASIC = "basic"
    SEND_TOKEN = "send_token"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and by what: the session's or the send token's id where there is one.

    `csrf` is the value that unsafe requests of a cookie session must carry.
    """

    person: Person
    scheme: Scheme
    session_id: int | None = None
    send_token_id: int | None = None
    csrf: str = ""


def caller(request: Request, *, may_only_send: bool = False) -> Caller:
    """Who is calling: a header's credential first, else the access cookie.

    A send token counts only where `may_only_send` says so. Raises `Unauthenticated` and its kinds,
    `Forbidden` (a send token elsewhere), `ForeignOrigin`, `CsrfFailed`, `TooManyFailures`.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        return _by_header(request, header, may_only_send)
    cookie = request.cookies.get(access_cookie())
    if cookie is not None:
        return by_cookie(request, cookie)
    raise Unauthenticated


def by_access_token(token: str) -> Caller:
    """The caller that this access token speaks for. Raises `InvalidToken`."""
    try:
        proof = sessions.prove(token)
    except InvalidToken:
        metrics.auth_failures.labels(Scheme.BEARER).inc()
        raise
    return Caller(proof.person, Scheme.BEARER, session_id=proof.session_id, csrf=proof.csrf)


def by_cookie(request: Request, token: str, *, csrf: bool = True) -> Caller:
    """The caller of a cookie session. An unsafe request must come from this site, and carry the
    session's CSRF value unless `csrf` is false (SameSite=Strict cookies of a dialect)."""
    refuse_foreign_origin(request)
    known = by_access_token(token)
    if csrf and request.method not in SAFE_METHODS:
        require_csrf(known, request.headers.get(CSRF_HEADER, ""))
    return Caller(known.person, Scheme.COOKIE, session_id=known.session_id, csrf=known.csrf)


def by_password(request: Request, username: str, password: str) -> Caller:
    """The caller with this username and password, as Basic or a login carries them.

    Raises `WrongCredentials`, `TooManyFailures`.
    """
    try:
        person = signing_in.authenticate(username, password, visitor(request))
    except WrongCredentials:
        metrics.auth_failures.labels(Scheme.BASIC).inc()
        raise
    return Caller(person, Scheme.BASIC)


def by_send_token(secret: str) -> Caller:
    """The caller that this send token sends for. Raises `InvalidToken`."""
    try:
        proof = tokens.prove(secret)
    except InvalidToken:
        metrics.auth_failures.labels(Scheme.SEND_TOKEN).inc()
        raise
    return Caller(proof.person, Scheme.SEND_TOKEN, send_token_id=proof.send_token_id)


def by_basic(request: Request) -> Caller:
    """The caller of a Basic header (RFC 7617, UTF-8). Raises `Unauthenticated` without one."""
    match = _BASIC.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise Unauthenticated
    refuse_foreign_origin(request)
    username, password = _user_and_password(match[1])
    return by_password(request, username, password)


def refresh_token(request: Request) -> str:
    """The refresh token of a request: its header's, else its cookie's; it is not tried yet.

    By cookie the request must come from this site and carry the session's CSRF value. Raises
    `Unauthenticated`, `ForeignOrigin`, `CsrfFailed`.
    """
    cookie = request.cookies.get(refresh_cookie())
    if "Authorization" in request.headers or cookie is None:
        token = bearer_token(request)
        if token is None:
            raise Unauthenticated
        return token
    refuse_foreign_origin(request)
    _require_same(sessions.csrf_of(cookie), request.headers.get(CSRF_HEADER, ""))
    return cookie


def bearer_token(request: Request) -> str | None:
    """What stands after `Bearer` (or `JWT`) in the Authorization header, if anything does."""
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return match[1] if match else None


def require_csrf(known: Caller, given: str) -> None:
    """Raises `CsrfFailed` unless `given` is the value of the caller's session."""
    _require_same(known.csrf, given)


def refuse_foreign_origin(request: Request) -> None:
    """Raises `ForeignOrigin` when a browser says that an unsafe request comes from another site.

    Scripts send neither header and pass. Where Origin and Sec-Fetch-Site come from: the Fetch
    standard; why they are enough beside SameSite cookies: OWASP's CSRF cheat sheet.
    """
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise ForeignOrigin
    origin = request.headers.get("Origin")
    if origin is not None and origin not in _own_origins(request):
        raise ForeignOrigin


def visitor(request: Request) -> Visitor:
    """Where `request` comes from; believed of proxies only as far as TRUSTED_PROXIES says."""
    return Visitor(
        network=network_of(request.remote_addr or ""),
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=g.get("request_id", ""),
    )


def network_of(address: str) -> str:
    """An IPv4 address as it is, an IPv6 address as its /64: what one subscriber has.

    Some proxies add a port, which the client chooses. What is no address is one and the same.
    """
    bare = address.partition("%")[0]
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        ip = ip_address(bare)
    except ValueError:
        return "unknown"
    if ip.version == 6 and ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ip) if ip.version == 4 else str(ip_network(f"{ip}/64", strict=False))


def access_cookie() -> str:
    """The name of the access cookie; by https the browser itself guards it (`__Host-`)."""
    return "__Host-access" if settings().https else "access"


def refresh_cookie() -> str:
    """The name of the refresh cookie; it has a path, so `__Secure-` is the most it can have."""
    return "__Secure-refresh" if settings().https else "refresh"


def csrf_cookie() -> str:
    """The name of the cookie that a page's script reads the CSRF value from."""
    return "__Host-csrf" if settings().https else "csrf"


def set_cookies(response: Response, issued: sessions.Tokens) -> None:
    """Puts a session into the browser: access and refresh out of scripts' reach, CSRF within."""
    lifetime = int(sessions.LIFETIME.total_seconds())
    _set(response, access_cookie(), issued.access, issued.expires_in)
    _set(response, refresh_cookie(), issued.refresh, lifetime, path=REFRESH_PATH)
    _set(response, csrf_cookie(), issued.csrf, issued.expires_in, httponly=False)


def clear_cookies(response: Response) -> None:
    """Takes a session out of the browser."""
    _set(response, access_cookie(), "", 0)
    _set(response, refresh_cookie(), "", 0, path=REFRESH_PATH)
    _set(response, csrf_cookie(), "", 0, httponly=False)


def _set(
    response: Response,
    name: str,
    value: str,
    max_age: int,
    *,
    path: str = "/",
    httponly: bool = True,
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=path,
        secure=settings().https,
        httponly=httponly,
        samesite="Lax",
    )


def _require_same(csrf: str, given: str) -> None:
    if not hmac.compare_digest(given.encode(), csrf.encode()):
        raise CsrfFailed


def _by_header(request: Request, header: str, may_only_send: bool) -> Caller:
    token = bearer_token(request)
    if token is None:
        return by_basic(request)
    if not token.startswith(tokens.SEND_PREFIX):
        return by_access_token(token)
    known = by_send_token(token)
    if not may_only_send:
        raise Forbidden("A send token may only send messages and ask what became of them.")
    return known


def _user_and_password(encoded: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated from None
    username, colon, password = decoded.partition(":")
    if not colon or "\x00" in decoded:
        raise Unauthenticated
    return username, password


def _own_origins(request: Request) -> tuple[str, ...]:
    public = settings().public_url
    if not public:
        return (request.host_url.rstrip("/"),)
    parts = urlsplit(public)
    return (f"{parts.scheme}://{parts.netloc}",)
