"""Every page in the browser: whatever stands in it stays text, and everybody can use it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from app.services import messages, tokens
from app.services.messages import Draft
from app.services.people import Person, Visitor
from sandbox.client import wait_for
from tests.web.browser.conftest import NARROW, SCREENSHOTS, WIDE, Deployment, OpenPage
from tests.web.browser.hostile import PAYLOADS

NewPerson = Callable[..., Person]
AXE = Path(__file__).parents[1] / "vendor" / "axe-core-4.14.1" / "axe.min.js"

OUTSIDE = ("/", "/cabinet/sign-in", "/cabinet/sign-up")
INSIDE = (
    "/cabinet",
    "/cabinet/send",
    "/cabinet/messages",
    "/cabinet/messages?status=lost",
    "/cabinet/telegram",
    "/cabinet/telegram?another=yes",
    "/cabinet/tokens",
    "/cabinet/account",
    "/cabinet/account/delete",
    "/cabinet/nothing",
    "/admin",
    "/admin/accounts",
    "/admin/chats",
    "/admin/messages",
    "/admin/audit",
)

# What a page is made of, apart from its words: its elements with the attributes that do something.
SHAPE = """() => [...document.querySelectorAll('*')].map((e) => e.tagName + [...e.attributes]
  .filter((a) => /^(on|style|src|action|http-equiv|hx-on)/.test(a.name)).map((a) => a.name))"""
FOREIGN = """() => [...document.querySelectorAll('*')].filter((e) =>
  [...e.attributes].some((a) => /^on|^style$|^srcdoc$|^hx-on/.test(a.name)
    || /^\\s*javascript:/i.test(a.value) && /^(href|src|action|formaction)$/.test(a.name))
  || /^(IFRAME|OBJECT|EMBED|BASE|MATH|STYLE)$/.test(e.tagName)
  || /^(SCRIPT|IMG)$/.test(e.tagName) && !e.src.startsWith(location.origin + '/static/'))
  .map((e) => e.outerHTML)"""


@dataclass
class Household:
    """An account with everything in it, for pages that have something to show."""

    person: Person
    numbers: list[int]


def accepts(deployment: Deployment, person: Person, words: list[str]) -> list[int]:
    with deployment.app.app_context():
        return [messages.send(person, Draft(line)).message.id for line in words]


def settled(deployment: Deployment, numbers: list[int]) -> bool:
    with deployment.database.connect() as rows:
        open_ones = text(
            "SELECT count(*) FROM message WHERE id = ANY(:ids)"
            " AND status IN ('held', 'queued', 'sending')"
        )
        return bool(rows.execute(open_ones, {"ids": numbers}).scalar_one() == 0)


def test_hostile_texts_stay_texts_wherever_they_stand(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    """As message both ways, as name of a person, of a chat, of a token, in a search."""
    chat = deployment.sandbox.user("Anna", wrote_first=True)
    person = new_person("Anna", linked=chat, is_admin=True)
    page = open_page(person=person)
    numbers = accepts(deployment, person, PAYLOADS)
    with deployment.app.app_context():
        for place, words in enumerate(PAYLOADS):
            messages.receive(person.id, chat.id, 1000 + place, words)
            tokens.issue_send_token(person, words, Visitor())
    wait_for(lambda: settled(deployment, numbers), 20, "every message is sent")
    for words in PAYLOADS:
        names_everything(deployment, person, words)
        page.goto("/cabinet")
        assert page.evaluate(FOREIGN) == [], words
        assert page.get_by_role("heading", level=1).text_content() == f"Hello, {words}"
        assert page.locator(".state bdi").first.text_content() == words
    for path in (*INSIDE, f"/cabinet/messages/{numbers[0]}", "/cabinet/messages?q=<script>"):
        page.goto(path)
        assert page.evaluate(FOREIGN) == [], path
    page.goto("/cabinet/tokens")
    names = page.locator(".entries strong").all_text_contents()
    assert names == list(reversed(PAYLOADS))
    assert page.evaluate("window.hit") is None


def names_everything(deployment: Deployment, person: Person, words: str) -> None:
    """Gives a person and their chat a name, whether or not they could choose it themselves."""
    values = {"id": person.id, "words": words}
    with deployment.database.connect() as rows:
        rows.execute(text("UPDATE account SET name = :words WHERE id = :id"), values)
        rows.execute(text("UPDATE chat SET title = :words WHERE account_id = :id"), values)


def test_each_hostile_message_is_shown_and_previewed_verbatim(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    person = new_person("Anna")
    page = open_page(person=person)
    numbers = accepts(deployment, person, ["plain", *PAYLOADS])
    page.goto(f"/cabinet/messages/{numbers[0]}")
    plain = page.evaluate(SHAPE)
    for number, words in zip(numbers[1:], PAYLOADS, strict=True):
        page.goto(f"/cabinet/messages/{number}")
        assert page.locator("#text").text_content() == words
        assert page.evaluate(SHAPE) == plain, words
    page.goto("/cabinet/send")
    page.locator("#text").fill("\n".join(PAYLOADS))
    bubble = page.locator("#preview .bubble")
    expect(bubble).to_contain_text("window.hit")
    assert (bubble.text_content() or "").endswith(":\n" + "\n".join(PAYLOADS))
    assert page.evaluate(FOREIGN) == []
    assert page.evaluate("window.hit") is None


@pytest.fixture(scope="module")
def household(deployment: Deployment) -> Household:
    """An admin whose pages are full: a linked chat, messages of every kind, tokens."""
    chat = deployment.sandbox.user("Анна Иванова", language_code="ru", wrote_first=True)
    person = deployment.registers("anna", "Анна", is_admin=True)
    deployment.links(person, chat, title="Анна Иванова")
    words = [
        "The nightly backup is done: 14.2 GB in 6 min",
        "Сборка №481 прошла, тестов: 1204",
        "disk full on db-1",
        "Температура в серверной 31 °C",
        "Certificate of example.org expires in 9 days",
        "deploy of v2.14.0 finished\n\nAll 12 checks passed.",
    ]
    _write_a_month(deployment, person, words)
    with deployment.sandbox.fault("flood", chat=chat, times=1, retry_after=1):
        new = accepts(deployment, person, [words[0]])
        wait_for(lambda: settled(deployment, new), 20, "the message is sent after a wait")
    with deployment.app.app_context():
        for name in ("backup script", "Домашний сервер"):
            tokens.issue_send_token(person, name, Visitor())
    chat.says("Спасибо, вижу. Перезапусти, пожалуйста.")
    wait_for(lambda: _has_received(deployment, person), 10, "the answer is received")
    with deployment.app.app_context():
        held = messages.send(person, Draft("Reboot at 03:00, expect silence", silent=True))
    wait_for(lambda: settled(deployment, [held.message.id]), 10, "the last one is sent")
    return Household(person, new)


def _write_a_month(deployment: Deployment, person: Person, words: list[str]) -> None:
    """A month of messages, as the engine would have left them: most sent, a few not."""
    with deployment.database.connect() as rows:
        rows.execute(
            text(
                "INSERT INTO message (account_id, lane_id, seq, direction, text, greeting, status,"
                " reason, parts_sent, attempts_made, created_at, sent_at)"
                " SELECT :account, id, n, 'out', (:words)[1 + (n * 7) % :count], :greeting,"
                " CASE WHEN n % 19 = 7 THEN 'failed' WHEN n % 41 = 3 THEN 'expired'"
                "      ELSE 'sent' END,"
                " CASE WHEN n % 19 = 7 THEN 'Bad Request: message text is empty' END,"
                " CASE WHEN n % 19 = 7 OR n % 41 = 3 THEN 0 ELSE 1 END, 1, at,"
                " CASE WHEN n % 19 <> 7 AND n % 41 <> 3 THEN at + interval '1 second' END"
                " FROM lane, generate_series(1, 240) n,"
                " LATERAL (SELECT now() - make_interval(hours => 4 + 700 * (240 - n) / 240"
                "   + ((n * n * 13) % 29) * CASE WHEN n < 236 THEN 1 ELSE 0 END) AS at) AS times"
                " WHERE account_id = :account ORDER BY at"
            ),
            {
                "account": person.id,
                "words": words,
                "count": len(words),
                "greeting": f"{person.name}, я получил от тебя сообщение:",
            },
        )
        rows.execute(
            text("UPDATE lane SET next_seq = 1000 WHERE account_id = :account"),
            {"account": person.id},
        )


def _has_received(deployment: Deployment, person: Person) -> bool:
    with deployment.database.connect() as rows:
        received = text("SELECT count(*) FROM message WHERE account_id = :id AND direction = 'in'")
        return bool(rows.execute(received, {"id": person.id}).scalar_one() == 1)


def violations(page: Page, rules: list[str]) -> list[str]:
    """What axe-core finds wrong by these rules, or by all (best practices count, too)."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found: list[dict[str, Any]] = page.evaluate(
        "async (options) => (await axe.run(document, options)).violations", options
    )
    return [
        f"{page.url} {rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    ("size", "dark", "rules"),
    # The elements are the same on both; colours and places are not.
    [(WIDE, False, []), (NARROW, True, ["color-contrast", "target-size"])],
    ids=["wide and light", "narrow and dark"],
)
def test_every_page_passes_an_accessibility_scan(
    open_page: OpenPage,
    household: Household,
    size: tuple[int, int],
    dark: bool,
    rules: list[str],
) -> None:
    wrong: list[str] = []
    outside, inside = (
        open_page(size=size, dark=dark),
        open_page(size=size, dark=dark, person=household.person, language="ru"),
    )
    for page, paths in ((outside, OUTSIDE), (inside, _inside(household))):
        for path in paths:
            page.goto(path)
            wrong += violations(page, rules)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
    assert wrong == []


def _inside(household: Household) -> Iterator[str]:
    yield from INSIDE
    yield f"/cabinet/messages/{household.numbers[-1]}"
    yield f"/admin/accounts/{household.person.id}"


SHOWN = {
    "first": "/",
    "overview": "/cabinet",
    "write": "/cabinet/send",
    "messages": "/cabinet/messages",
    "telegram": "/cabinet/telegram",
    "tokens": "/cabinet/tokens",
    "delivery": "/admin",
}


@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="only when SCREENSHOTS is set")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_screenshots_are_made(
    open_page: OpenPage,
    household: Household,
    new_person: NewPerson,
    size: tuple[int, int],
    dark: bool,
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    kind = f"{'wide' if size == WIDE else 'narrow'}-{'dark' if dark else 'light'}"
    shown = SHOWN | {"message": f"/cabinet/messages/{household.numbers[-1]}"}
    unlinked = new_person("Анна")
    people = {"first": None, "telegram": unlinked}
    for name, path in shown.items():
        person = people.get(name, household.person)
        page = open_page(person=person, size=size, dark=dark)
        page.goto("/cabinet/account" if person else path)  # tells the server the time zone
        page.goto(path)
        if name == "write":
            page.locator("#text").fill("The nightly backup is done:\n14.2 GB in 6 min")
            expect(page.locator("#preview .bubble")).to_be_visible()
        if name == "overview":
            expect(page.locator(".chart")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"{name}-{kind}.png")
