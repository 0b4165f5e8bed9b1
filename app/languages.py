"""The languages that people are answered in. English stands where it is used, the others have a
catalogue each.

A catalogue is a TOML file beside this one: English words to theirs, and, for what is counted, to
their plural forms. What is missing there is said in English; a test sees to it that nothing is.
Which language somebody gets is not decided here, but by the face that answers them.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

from app.errors import Sentence


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its code, its own name, its words.

    `plural` gives the place of the form for a number among the forms of `counted`.
    """

    code: str
    name: str
    plural: Callable[[int], int]
    sentences: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def say(self, words: str, **values: object) -> Markup:
        """`words` in this language, as HTML; values are escaped unless they are `Markup`."""
        template, values = self._template(words, values)
        return _filled(template, values)

    def plain(self, words: str) -> str:
        """`words` in this language, as text that is no HTML."""
        template, values = self._template(words, {})
        return template.format(**values) if values else template

    def count(self, one: str, many: str, number: int, **values: object) -> Markup:
        """`one` or `many` (English has two forms) as this language says it of `number`, `{n}`."""
        forms = self.counted.get(one, (one, many))
        return _filled(forms[self.plural(number)], {"n": number, **values})

    def _template(self, words: str, values: dict[str, object]) -> tuple[str, dict[str, object]]:
        template: str = words
        if isinstance(words, Sentence):
            template, values = words.template, {**words.values, **values}
        return self.sentences.get(template, template), values


def every() -> dict[str, Language]:
    """All languages by their codes, the default one first."""
    return dict(_loaded())


def _filled(template: str, values: Mapping[str, object]) -> Markup:
    return Markup(escape(template)).format(**values) if values else escape(template)


def _english(number: int) -> int:
    return 0 if number == 1 else 1


def _russian(number: int) -> int:
    """Unicode CLDR's rule: 1 but not 11; 2 to 4 but not 12 to 14; the rest."""
    if number % 10 == 1 and number % 100 != 11:
        return 0
    return 1 if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else 2


@cache
def _loaded() -> Mapping[str, Language]:
    russian = tomllib.loads(Path(__file__).with_name("ru.toml").read_text(encoding="utf-8"))
    return {
        "en": Language("en", "English", _english),
        "ru": Language("ru", "Русский", _russian, russian["sentences"], russian["counted"]),
    }
