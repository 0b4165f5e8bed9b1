"""The tokens of a session: derived, never stored, and proven only as we signed them."""

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any
from uuid import uuid4

import jwt
import pytest
from flask import Flask
from sqlalchemy import Engine

from app import clock
from app.errors import InvalidToken
from app.services import sessions
from tests import rows
from tests.conftest import Member
from tests.services.conftest import HERE, payload, refused


def signed(head: dict[str, Any], body: str, key: bytes) -> str:
    """A token with any header, its signature right for HS256."""
    begin = _encoded(head)
    signature = hmac.digest(key, f"{begin}.{body}".encode(), "sha256")
    return f"{begin}.{body}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def saying(claims: dict[str, Any], key: bytes) -> str:
    """A token of ours that says anything."""
    return signed({"alg": "HS256"}, _encoded(claims), key)


def _encoded(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_what_is_signed_with_our_key_but_says_other_things_is_refused(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    key, now = ctx.config["JWT_SECRET_KEY"], int(clock.now().timestamp())
    good = payload(alice.access)
    sessions.prove(saying(good, key))  # so what follows is refused for its change
    wrongs: list[Any] = [None, [], {}, "x", 1.5, True, -1, 10**30]
    numbers, words = ("gen", "iat", "nbf", "exp"), ("jti", "csrf")
    for name in good.keys() - {"fresh"}:
        without = {k: v for k, v in good.items() if k != name}
        assert refused(saying(without, key)), f"no {name}"
        for wrong in wrongs:
            own_kind = name in numbers and type(wrong) is int or name in words and wrong == "x"
            changed = saying(good | {name: wrong}, key)
            assert own_kind or refused(changed), (name, wrong)
    changes: list[dict[str, Any]] = [
        {"type": "refresh"},
        {"type": "Access"},
        {"iss": "other"},
        {"iss": "gon"},
        {"iss": ["gonets"]},
        {"aud": "other"},
        {"aud": ["gonets"]},
        {"aud": "gonetsx"},
        {"exp": now},
        {"exp": now - 1},
        {"nbf": now + 60},
        {"iat": now + 60},
        {"sub": str(uuid4())},
        {"sub": str(bob.person.public_id)},
        {"sub": "\ud800"},
        {"sub": "1" * 20},
        {"sub": "\x00"},
        {"sid": payload(bob.access)["sid"]},
        {"sid": 0},
        {"sid": 2**63},
        {"sid": str(good["sid"])},
    ]
    for change in changes:
        assert refused(saying(good | change, key)), change


def test_what_is_not_signed_with_our_key_in_our_way_is_refused(ctx: Flask, alice: Member) -> None:
    key, good = ctx.config["JWT_SECRET_KEY"], payload(alice.access)
    head, body, signature = alice.access.split(".")
    nothing = urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    strange_heads: list[dict[str, Any]] = [
        {"alg": "RS256"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
        {"alg": None},
        {},
        {"alg": "HS256", "kid": []},
        {"alg": "HS256", "b64": False, "crit": ["b64"]},
        {"alg": "HS256", "crit": "exp"},
    ]
    forged = [signed(strange, body, key) for strange in strange_heads]
    forged += [
        jwt.encode(good, "another key of thirty-two bytes..", "HS256"),
        signed({"alg": "HS384"}, body, key),
        jwt.encode(good, "", "none"),
        jwt.encode(good, key, "HS256", headers={"crit": ["b64"], "b64": False}),
        jwt.encode(good, key, "HS256", headers={"crit": ["unheard-of"]}),
        signed({"alg": "HS256", "kid": "../../dev/null", "jku": "http://x/"}, body, b""),
        f"{nothing}.{body}.",
        f"{nothing}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body[:-2]}.{signature}",
        "",
        ".",
        "..",
        "garbage",
        "\ud800",
        "é" * 100,
        "a" * 100_000,
        ".".join(["a" * 50_000] * 3),
        urlsafe_b64encode(b"[" * 5000).decode() + "." + body + "." + signature,
    ]
    for token in forged:
        assert refused(token), token[:80]
    assert not refused(signed({"alg": "HS256"}, body, key)), "so it was the heads"


def test_a_refresh_token_is_no_access_token_and_the_reverse(ctx: Flask, alice: Member) -> None:
    assert refused(alice.refresh)
    with pytest.raises(InvalidToken):
        sessions.refresh(alice.access, HERE)
    with pytest.raises(InvalidToken):
        sessions.csrf_of(alice.access)


def test_tokens_are_derived_and_nothing_of_them_is_stored(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    stored = str(rows.as_text(database, "sign_in"))
    for token in (alice.access, alice.refresh):
        claims = payload(token)
        assert claims["jti"] not in stored
        assert claims["csrf"] not in stored
        assert token.split(".")[2] not in stored
    assert payload(alice.access)["jti"] != payload(alice.refresh)["jti"]
