"""Long texts as parts: what is lost (white space at a cut, nothing else) and where they are cut."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery import splitting
from app.delivery.splitting import LIMIT, parts, utf16_units

FAMILY = "👨‍👩‍👧‍👦"
FLAG = "🇷🇺"
WAVE = "👋🏽"
ACCENTED = "и\u0306"

# Texts of pieces that make cuts hard, long enough to be cut.
pieces = st.sampled_from(
    [
        "a",
        "слово ",
        "a sentence. ",
        "\n",
        "\n\n",
        " ",
        "\t",
        FAMILY,
        FLAG,
        WAVE,
        ACCENTED,
        "😀",
        "。",
    ]
)
long_texts = st.builds(
    lambda chunks, times: "".join(chunk * times for chunk in chunks),
    st.lists(pieces, min_size=1, max_size=12),
    st.integers(min_value=1, max_value=1500),
).filter(lambda text: text.strip())


def without_space(text: str) -> str:
    return "".join(text.split())


@given(long_texts)
def test_nothing_but_white_space_is_lost(text: str) -> None:
    assert without_space("".join(parts(text))) == without_space(text)


@given(long_texts)
def test_no_part_is_empty_or_too_long(text: str) -> None:
    for part in parts(text):
        assert part.strip()
        assert utf16_units(part) <= LIMIT


@given(long_texts)
def test_no_part_begins_within_a_character(text: str) -> None:
    for part in parts(text)[1:]:
        assert unicodedata.category(part[0]) not in ("Mn", "Mc", "Me")
        assert part[0] != "\u200d"
        assert not "\U0001f3fb" <= part[0] <= "\U0001f3ff"


@given(long_texts, st.integers(min_value=0, max_value=3))
def test_halving_loses_nothing_and_leaves_what_was_sent_as_it_was(text: str, at: int) -> None:
    whole, halved = parts(text), parts(text, halved_from=at)
    assert halved[:at] == whole[:at]
    assert all(utf16_units(part) <= LIMIT // 2 for part in halved[at:])
    assert without_space("".join(halved)) == without_space(text)


@given(long_texts)
def test_the_count_is_the_number_of_parts(text: str) -> None:
    assert splitting.count(text, "Anna:") == len(parts(text, "Anna:"))


@given(st.text(max_size=LIMIT // 2).filter(str.strip))
def test_a_short_text_is_not_touched(text: str) -> None:
    assert parts(text) == [text]


@pytest.mark.parametrize("character", [FLAG, FAMILY, WAVE, ACCENTED, "😀"])
def test_a_character_of_several_code_points_stays_whole(character: str) -> None:
    for part in parts(character * 3000):
        assert part == character * (len(part) // len(character))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 4096, [4096]),
        ("a" * 4097, [4096, 1]),
        ("a" * 5000, [4096, 904]),
        ("😀" * 2048, [4096]),
        ("😀" * 2049, [4096, 2]),
        ("a" + "😀" * 2048, [4095, 2]),
        # A cut early in a part is no good one.
        ("a\n" + "b" * 4096, [4096, 2]),
        ("\n" + "b" * 4096, [4096, 1]),
        # The best cut wins over the latest one, in the second half of a part.
        ("a" * 3000 + "\n\n" + "b" * 500 + "\n" + "c" * 3000, [3000, 3501]),
        ("a" * 3000 + "\n" + "b" * 500 + ". " + "c" * 3000, [3000, 3502]),
        ("a" * 3000 + ". " + "b" * 500 + " " + "c" * 3000, [3001, 3501]),
        ("a" * 3000 + " " + "c" * 3000, [3000, 3000]),
        # White space that runs over the limit goes as a whole.
        ("a" * 4090 + " " * 20 + "b", [4090, 1]),
        ("a" * 4096 + "\n" + "b", [4096, 1]),
        (" " * 5000 + "b", [1]),
        ("a" + " " * 9000 + "b", [1, 1]),
        # Nothing but marks: there is no good cut, and it is cut all the same.
        ("a" + "\u0301" * 5000, [4096, 905]),
    ],
)
def test_where_a_text_is_cut(text: str, expected: list[int]) -> None:
    assert [utf16_units(part) for part in parts(text)] == expected


def test_the_greeting_stands_on_the_first_part_only() -> None:
    first, second = parts("слово " * 1000, "Анна, я получил от тебя сообщение:")
    assert first.startswith("Анна, я получил от тебя сообщение:\nслово слово")
    assert second.startswith("слово слово")


def test_a_greeting_is_not_left_alone_when_the_text_has_no_place_to_cut() -> None:
    first, second = parts("x" * 5000, "Анна, я получил от тебя сообщение:")
    assert utf16_units(first) == LIMIT
    assert second == "x" * (5000 - LIMIT + 35)
