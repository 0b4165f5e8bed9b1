"""The chat page: safe by construction, whole in both languages, and used in a browser."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

import sandbox as package
from sandbox.client import Sandbox
from tests.sandbox.conftest import Bot

FOLDER = Path(package.__file__).parent / "page"


def test_every_file_is_served_with_a_strict_policy(sandbox: Sandbox) -> None:
    for name in ("", *(f"page/{path.name}" for path in FOLDER.iterdir())):
        answer = requests.get(f"{sandbox.url}/{name}", timeout=5)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/page/", "/page/nothing.js", "/page/../server.py", "/page/%2e%2e/server.py"):
        assert requests.get(sandbox.url + path, timeout=5).status_code == 404


def test_nothing_is_inline_foreign_or_markup() -> None:
    html = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html)
    for path in FOLDER.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://\w", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_the_page_says_everything_in_both_languages() -> None:
    texts = (FOLDER / "texts.js").read_text()
    english, russian = texts.split("\n  ru: {")
    keys = [set(re.findall(r"^    (\w+):", part, re.MULTILINE)) for part in (english, russian)]
    assert keys[0] == keys[1]
    used = set(
        re.findall(r'data-(?:text|label|title)="(\w+)"', (FOLDER / "index.html").read_text())
    )
    for name in ("chat.js", "bubbles.js"):
        used |= set(re.findall(r"[^/]texts\.(\w+)", (FOLDER / name).read_text()))
    assert used == keys[0]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in Russian, on a phone; a script error or a foreign request fails the test."""
    errors: list[str] = []
    with chromium.new_context(
        locale="ru-RU",
        viewport={"width": 390, "height": 780},
        permissions=["clipboard-read", "clipboard-write"],
    ) as context:
        opened = context.new_page()
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on(
            "console", lambda line: errors.append(line.text) if "Policy" in line.text else None
        )
        opened.on("request", lambda r: None if "//127.0.0.1:" in r.url else errors.append(r.url))
        yield opened
    assert errors == []


def answer_everything(bot: Bot) -> None:
    """A small bot: answers three updates and ends."""
    offset, answered = 0, 0
    while answered < 3:
        for update in bot.ask("getUpdates", offset=offset, timeout=20):
            offset, answered = update["update_id"] + 1, answered + 1
            if "callback_query" in update:
                identifier = update["callback_query"]["id"]
                bot.ask("answerCallbackQuery", callback_query_id=identifier, text="Отвязано")
                continue
            message = update["message"]
            keyboard = [
                [{"text": "Это не я", "callback_data": "undo"}],
                [{"text": "Код", "copy_text": {"text": "7K4MPQ2X"}}],
            ]
            bot.ask(
                "sendMessage",
                chat_id=message["chat"]["id"],
                text=f"Эхо: {message['text']} <img src=x onerror=alert(1)>",
                reply_markup={"inline_keyboard": keyboard},
            )


def test_a_newcomer_meets_the_bot(page: Page, sandbox: Sandbox, bot: Bot) -> None:
    thread = threading.Thread(target=answer_everything, args=(bot,))
    thread.start()
    page.goto(f"{sandbox.url}/?start=0123abcd")
    page.get_by_role("button", name="Открыть чат").click()
    assert sandbox.pending_updates() == []  # a link alone does nothing in anybody's name
    page.get_by_role("button", name="Начать").click()
    expect(page.locator(".row--bot .bubble__text")).to_have_text(
        "Эхо: /start 0123abcd <img src=x onerror=alert(1)>"
    )
    assert page.url == f"{sandbox.url}/"
    page.locator("#text").fill("две\nстроки")
    page.get_by_role("button", name="Отправить").click()
    expect(page.locator(".row--bot")).to_have_count(2)
    page.get_by_role("button", name="Это не я").last.click()
    expect(page.locator("#toast")).to_have_text("Отвязано")
    page.get_by_role("button", name="Код", exact=True).last.click()
    expect(page.locator("#toast")).to_have_text("Скопировано")
    assert page.evaluate("navigator.clipboard.readText()") == "7K4MPQ2X"
    thread.join(5)
    page.get_by_role("button", name="Заблокировать").click()
    page.get_by_role("button", name="Разблокировать бота").click()
    expect(page.locator("#composer")).to_be_visible()
    told = [u["my_chat_member"] for u in bot.ask("getUpdates") if "my_chat_member" in u]
    assert [change["new_chat_member"]["status"] for change in told] == ["kicked", "member"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_page_left_open_outlives_a_restart_and_a_reset(page: Page, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Sandbox.start(data=data) as first:
        port = int(first.url.rpartition(":")[2])
        anna = first.user("Анна", wrote_first=True)
        page.goto(first.url)
        expect(page.locator(".person")).to_have_text(re.compile("Анна"))
    expect(page.locator("#offline")).to_be_visible()
    with Sandbox.start(data=data, port=port) as second:
        given = {"chat_id": anna.id, "text": "снова тут"}
        requests.post(f"{second.url}/bot{second.token}/sendMessage", given, timeout=5)
        expect(page.locator(".row--bot")).to_have_text(re.compile("снова тут"))
        expect(page.locator("#offline")).to_be_hidden()
        second.reset()
        expect(page.get_by_role("heading", name="Кто пишет?")).to_be_visible()
