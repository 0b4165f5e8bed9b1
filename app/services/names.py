"""What a username, a name, a greeting and a text may be. Pure: no database, no account.

Usernames are Latin or Cyrillic, one script each, and unique by their look-alike form: case and the
letters and digits that look the same (Unicode TS #39, confusables) make no difference.

The patterns are written so that ECMA-262 reads them as Python does, documents can publish them;
and so that no text makes matching take longer than its length.
"""

import re
import unicodedata

from app.errors import Invalid, Sentence

USERNAME_MAX = 64
NAME_MAX = 100
GREETING_MAX = 200

RESERVED = frozenset({"admin", "administrator", "root", "system", "me", "api", "gonets", "support"})

_LATIN = "A-Za-z"
_CYRILLIC = "А-Яа-яЁёІіЇїЄєҐґЎў"
_EITHER = "0-9._@+-"
# From confusables.txt of Unicode TS #39, the pairs within what a username may have; in lower case,
# each letter standing for what either of its cases looks like.
_LOOKALIKES = str.maketrans(
    dict(zip("аеорсухікмтвнгёзбь01i", "aeopcyxlkmtbhre36boll", strict=True))
    | {"ы": "bl", "ю": "lo"}
)

_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef"
_LINE_BREAKS = r"\t\n\r\u2028\u2029"
_SURROGATES = re.compile(r"[\ud800-\udfff]")
# Unicode's White_Space and Default_Ignorable_Code_Point but for the above: what leaves no mark.
_UNSEEN = (
    r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)


def _seen_within(unseen: str, barred: str) -> str:
    """The pattern of what has none of `barred`, and something that is not `unseen`."""
    return f"^[{unseen}]*[^{barred}{unseen}][^{barred}]*$"


TEXT_PATTERN = _seen_within(_UNSEEN + _LINE_BREAKS, _CONTROLS)
LINE_PATTERN = _seen_within(_UNSEEN, _CONTROLS + _LINE_BREAKS)


def lookalike(username: str) -> str:
    """The form that decides whether two usernames are the same one."""
    folded = unicodedata.normalize("NFKC", username).casefold()
    return folded.translate(_LOOKALIKES).replace("rn", "m")


def check_username(username: str, field: str = "username") -> None:
    """Raises `Invalid` unless `username` may be one."""
    if not 2 <= len(username) <= USERNAME_MAX:
        _refuse(field, Sentence("A username has 2 to {most} characters.", most=USERNAME_MAX))
    if not _CHARACTERS.fullmatch(username):
        _refuse(field, "Use Latin or Cyrillic letters (one of the two), digits and . _ @ + -")
    if lookalike(username) in _RESERVED_FORMS:
        _refuse(field, "This username is reserved.")


def check_name(name: str, field: str = "name") -> None:
    """Raises `Invalid` unless `name` may greet a person: one line, 1 to 100 characters."""
    _check_line(name, field, NAME_MAX)


def check_greeting(greeting: str, field: str = "greeting") -> None:
    """Raises `Invalid` unless `greeting` may stand above a message: one line."""
    _check_line(greeting, field, GREETING_MAX)


def check_label(label: str, field: str = "name") -> None:
    """Raises `Invalid` unless `label` may name a send token: one line, 1 to 100 characters."""
    _check_line(label, field, NAME_MAX)


def check_text(text: str, longest: int, field: str = "text") -> None:
    """Raises `Invalid` unless `text` can be a message of at most `longest` characters."""
    if not is_visible(text):
        _refuse(field, "A message needs at least one visible character.")
    if len(text) > longest:
        _refuse(
            field,
            Sentence(
                "A message has at most {most} characters; this has {given}.",
                most=longest,
                given=len(text),
            ),
        )
    if not is_storable(text) or not _TEXT.fullmatch(text):
        _refuse(field, "Control characters and lone surrogates cannot be sent.")


def is_visible(text: str) -> bool:
    """Whether anything of `text` would be seen."""
    return _SEEN.search(text) is not None


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold `text`: no NUL, no lone surrogate."""
    return "\x00" not in text and not _SURROGATES.search(text)


_SEEN = re.compile(f"[^{_CONTROLS}{_LINE_BREAKS}{_UNSEEN}]")
_TEXT = re.compile(TEXT_PATTERN[1:-1])
_LINE = re.compile(LINE_PATTERN[1:-1])
_RESERVED_FORMS = frozenset(lookalike(word) for word in RESERVED)
_SCRIPTS = f"[{_LATIN}{_EITHER}]{{2,{USERNAME_MAX}}}|[{_CYRILLIC}{_EITHER}]{{2,{USERNAME_MAX}}}"
_CHARACTERS = re.compile(_SCRIPTS)


def _spelled(form: str) -> str:
    """The pattern of every username that looks like `form`."""
    letters = re.findall(f"[{_LATIN}{_CYRILLIC}{_EITHER}]", "".join(map(chr, range(0x500))))

    def any_of(looks: str) -> str:
        return f"[{''.join(c for c in letters if lookalike(c) == looks)}]"

    two_strokes = f"(?:{any_of('m')}|{any_of('r')}{any_of('n')})"
    return "".join(two_strokes if looks == "m" else any_of(looks) for looks in form)


USERNAME_PATTERN = f"^(?!(?:{'|'.join(map(_spelled, sorted(_RESERVED_FORMS)))})$)(?:{_SCRIPTS})$"


def _check_line(line: str, field: str, longest: int) -> None:
    if not is_visible(line) or len(line) > longest:
        _refuse(field, Sentence("Needs 1 to {most} characters, not only spaces.", most=longest))
    if not is_storable(line) or not _LINE.fullmatch(line):
        _refuse(field, "Must be one line without control characters.")


def _refuse(field: str, why: str) -> None:
    raise Invalid(fields={field: [why]})
