"""A message as the texts that Telegram will take: pure, and the same every time.

Telegram takes 4096 characters and does not say of which kind; whether they are UTF-16 units or
code points is disputed. 4096 UTF-16 units are right under both. A text is cut, in order of
preference, at a blank line, a line's end, a sentence's end, a space; where there is none of these
in the second half of a part, at the limit, but not within a character as people see it (an emoji
of several code points, a flag, a letter with its accents).

White space at a cut is dropped on both sides of it; Telegram trims it anyway. Nothing else is
lost, and a text of one part is not touched at all.
"""

import re
import unicodedata
from collections.abc import Iterator

LIMIT = 4096

# Where to cut, the best first; each matches up to the white space that will be dropped.
_CUTS = (
    re.compile(r"(?=\n[^\S\n]*\n)"),
    re.compile(r"(?=\n)"),
    re.compile(r"[.!?…][\"'»”’)\]]*(?=\s)|[。！？]"),
    re.compile(r"(?=\s)"),
)

_JOINER = "\u200d"
_MARKS = ("Mn", "Mc", "Me")


def parts(text: str, greeting: str = "", halved_from: int | None = None) -> list[str]:
    """The texts to send, in order: at least one, none of them empty. The greeting's line stands
    above the first.

    `halved_from` is the index of a part that Telegram found too long all the same: it and what
    follows are cut half as long.
    """
    whole = f"{greeting}\n{text}" if greeting else text
    spans = list(_spans(whole, 0, LIMIT))
    if halved_from is not None and halved_from < len(spans):
        rest = spans[halved_from][0]
        spans[halved_from:] = _spans(whole, rest, LIMIT // 2)
    return [whole[start:end] for start, end in spans]


def count(text: str, greeting: str = "") -> int:
    """How many parts there will be."""
    # No character takes more than two UTF-16 units: a short text need not be looked at.
    if 2 * (len(text) + len(greeting) + 1) <= LIMIT:
        return 1
    return len(parts(text, greeting))


def utf16_units(text: str) -> int:
    """The length of `text` as Telegram counts entities, and perhaps messages."""
    return len(text.encode("utf-16-le")) // 2


def _spans(text: str, start: int, limit: int) -> Iterator[tuple[int, int]]:
    """Where the parts of `text` from `start` on begin and end."""
    while (end := _furthest(text, start, limit)) < len(text):
        cut = _cut(text, start, end)
        if (last := _before_space(text, start, cut)) > start:
            yield start, last
        start = _after_space(text, cut)
    if start < len(text):
        yield start, len(text)


def _furthest(text: str, start: int, limit: int) -> int:
    """The end of the longest slice from `start` on that has no more than `limit` units."""
    end = min(len(text), start + limit)
    while (excess := utf16_units(text[start:end]) - limit) > 0:
        # Taking away a character takes away one unit or two.
        end -= (excess + 1) // 2
    return end


def _cut(text: str, start: int, end: int) -> int:
    middle = start + (end - start) // 2
    for pattern in _CUTS:
        # A little beyond the end, for what stands right behind it.
        ends = [m.end() for m in pattern.finditer(text, middle, end + 2) if m.end() <= end]
        if ends and ends[-1] > middle:
            return ends[-1]
    for cut in range(end, middle, -1):
        if not _within_character(text, cut):
            return cut
    return end


def _within_character(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` would tear a character: the rules of UAX 29 that matter."""
    before, after = text[at - 1], text[at]
    if _JOINER in (before, after) or unicodedata.category(after) in _MARKS:
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True  # a skin colour; a flag's tag
    return _is_flag_letter(after) and _flag_letters_before(text, at) % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int) -> int:
    first = at
    while first > 0 and _is_flag_letter(text[first - 1]):
        first -= 1
    return at - first


def _before_space(text: str, start: int, at: int) -> int:
    while at > start and text[at - 1].isspace():
        at -= 1
    return at


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
