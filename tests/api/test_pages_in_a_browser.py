"""Swagger UI and ReDoc in a real browser: they show, they work, they ask no other host."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from tests.conftest import Member
from tests.fuzz.campaign import served


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    """A page that fails its test for any complaint of the browser and any foreign request."""
    complaints: list[str] = []

    def asked(address: str) -> None:
        if not address.startswith((url, f"blob:{url}", "data:")):
            complaints.append(f"request to {address}")

    def heard(kind: str, words: str) -> None:
        if kind in ("error", "warning"):
            complaints.append(words)

    with chromium.new_context(base_url=url) as context:
        opened = context.new_page()
        opened.on("console", lambda message: heard(message.type, message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: asked(request.url))
        yield opened
    assert complaints == []


def test_swagger_ui_shows_the_operations(page: Page) -> None:
    page.goto("/docs/")
    page.get_by_text("Send a message in one line").first.wait_for()
    page.locator(".topbar select").select_option(label="2 · DjangoBot")
    page.get_by_text("/api/send_message").first.wait_for()


@pytest.mark.parametrize(
    ("path", "words"), [("/redoc/", "Life of a message"), ("/redoc/djangobot", "DjangoBot")]
)
def test_redoc_shows_the_document(page: Page, path: str, words: str) -> None:
    page.goto(path)
    page.get_by_role("heading", name=words).first.wait_for()
    page.get_by_placeholder("Search").fill("message")
    page.locator("[data-role='search:results'] li").first.wait_for()


def test_an_operation_can_be_tried_from_swagger_ui(page: Page, alice: Member) -> None:
    page.goto("/docs/#/Users/readAccount")
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").first.fill(alice.access)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close").first.click()
    operation = page.locator("#operations-Users-readAccount")
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    operation.locator(".live-responses-table").get_by_text("Алиса").first.wait_for()
