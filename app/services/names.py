"""What a username, a name, a greeting and a text may be. Pure: no database, no account.

Usernames are Latin or Cyrillic, one script each, and unique by their look-alike form: case and the
letters that look the same in both scripts (Unicode TS #39, confusables) make no difference.
"""

import re
import unicodedata

from app.errors import Invalid, Sentence

USERNAME_MAX = 64
NAME_MAX = 100
GREETING_MAX = 200

RESERVED = frozenset({"admin", "administrator", "root", "system", "me", "api", "gonets", "support"})

_LATIN = re.compile(r"[A-Za-z0-9._@+-]+", re.ASCII)
_CYRILLIC = re.compile(r"[А-Яа-яЁёІіЇїЄєҐґЎў0-9._@+-]+")
# From Unicode TS #39 confusables: the Cyrillic letters that pass for Latin ones, in lower case,
# and the digits and letters that pass for each other within Latin.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһԛԝкмтвнг", "aeopcyxijsdhqwkmtbhr")
_WITHIN_LATIN = str.maketrans("01|", "oll")

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef]")
_LINE_BREAKS = re.compile(r"[\t\n\r\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def lookalike(username: str) -> str:
    """The form that decides whether two usernames are the same one."""
    folded = unicodedata.normalize("NFKC", username).casefold().replace("ё", "е")
    return folded.translate(_LOOKALIKES).translate(_WITHIN_LATIN)


def check_username(username: str, field: str = "username") -> None:
    """Raises `Invalid` unless `username` may be one."""
    if not 2 <= len(username) <= USERNAME_MAX:
        _refuse(field, Sentence("A username has 2 to {most} characters.", most=USERNAME_MAX))
    if not (_LATIN.fullmatch(username) or _CYRILLIC.fullmatch(username)):
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
    if not is_storable(text) or _CONTROLS.search(text):
        _refuse(field, "Control characters and lone surrogates cannot be sent.")


def is_visible(text: str) -> bool:
    """Whether anything of `text` would be seen."""
    return any(not c.isspace() and unicodedata.category(c) not in _INVISIBLE for c in text)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold `text`: no NUL, no lone surrogate."""
    return "\x00" not in text and not _SURROGATES.search(text)


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn"})
_RESERVED_FORMS = frozenset(lookalike(word) for word in RESERVED)


def _check_line(line: str, field: str, longest: int) -> None:
    if not is_visible(line) or len(line) > longest:
        _refuse(field, Sentence("Needs 1 to {most} characters, not only spaces.", most=longest))
    if not is_storable(line) or _CONTROLS.search(line) or _LINE_BREAKS.search(line):
        _refuse(field, "Must be one line without control characters.")


def _refuse(field: str, why: str) -> None:
    raise Invalid(fields={field: [why]})
