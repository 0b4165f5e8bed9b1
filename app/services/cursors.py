"""Cursors: places in a list, in letters that only we can write.

A cursor is sealed for one list, as whoever asks describes it: it is none in any other.
"""

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

from app.errors import Invalid
from app.extensions import settings


def at(place: int, *, of: str) -> str:
    """The cursor for a place, the id of a row, in the list that `of` describes."""
    packed = struct.pack(">q", place)
    return urlsafe_b64encode(packed + _seal(packed, of)).decode()


def place_of(cursor: str, *, of: str) -> int:
    """The place of a cursor in the list that `of` describes. Raises `Invalid` if it is none."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        raw = b""
    packed, seal = raw[:8], raw[8:]
    # Decoding passes over characters that are none of base64's.
    whole = urlsafe_b64encode(raw).decode() == cursor
    if not whole or not hmac.compare_digest(seal, _seal(packed, of)):
        raise Invalid(fields={"cursor": ["This cursor is not one of this list's."]})
    return int(struct.unpack(">q", packed)[0])


def _seal(packed: bytes, of: str) -> bytes:
    bound = of.encode("utf-8", "replace") + packed
    return hmac.digest(settings().key("cursor"), bound, hashlib.sha256)[:12]
