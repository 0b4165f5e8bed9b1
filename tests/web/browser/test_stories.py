"""What people do at the pages, from beginning to end, in a real browser."""

import re
import shlex
import subprocess
from collections.abc import Callable

from playwright.sync_api import Page, expect

from app.services.people import Person
from tests.conftest import PASSWORD
from tests.web.browser.conftest import NARROW, Deployment, OpenPage

NewPerson = Callable[..., Person]


def status(page: Page) -> str:
    return page.locator("#state-title").inner_text()


def writes(page: Page, words: str, send: str = "Send") -> None:
    page.goto("/cabinet/send")
    page.locator("#text").fill(words)
    page.get_by_role("button", name=send, exact=True).click()


def test_a_newcomer_signs_up_links_sends_and_sees_it_arrive(
    open_page: OpenPage, deployment: Deployment
) -> None:
    deployment.sandbox.user("Somebody else")
    page = open_page()
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("Your name").fill("Anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Your Telegram chat")).to_be_visible()

    with page.expect_popup() as opened:
        page.get_by_role("link", name=re.compile("^Open @")).click()
    chat = opened.value
    chat.locator("#new-person").click()
    chat.locator("#name").fill("Anna of the sandbox")
    chat.get_by_role("button", name="Open the chat").click()
    chat.get_by_role("button", name="Start").click()
    page.bring_to_front()
    expect(page.get_by_role("heading", name="Linked to Anna of the sandbox")).to_be_visible()

    page.get_by_role("link", name="Send", exact=True).click()
    page.locator("#text").type("The backup is done.\nAll of it.")
    told = "Anna, я получил от тебя сообщение:\nThe backup is done.\nAll of it."
    expect(page.locator("#preview .bubble")).to_have_text(told)
    expect(page.locator("[data-count]")).to_have_text("30")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#state-title")).to_have_text("Sent")
    assert deployment.sandbox.journal()[-1].text == told
    expect(chat.locator(".row--bot .bubble__text").last).to_have_text(told)

    page.get_by_role("link", name="Messages", exact=True).click()
    chat.locator("#text").fill("Seen, thank you")
    chat.get_by_role("button", name="Send").click()
    expect(page.locator(".messages .excerpt").first).to_have_text("Seen, thank you")
    expect(page.locator(".messages .chip").first).to_have_text("Received")


def test_a_newcomer_does_it_in_russian_with_the_bots_code_on_a_phone(
    open_page: OpenPage, deployment: Deployment
) -> None:
    page = open_page(language="ru", size=NARROW)
    page.goto("/cabinet/sign-up")
    page.get_by_label("Имя пользователя").fill("новичок")
    page.get_by_label("Ваше имя").fill("Дора")
    page.get_by_label("Пароль").fill(PASSWORD)
    page.get_by_role("button", name="Зарегистрироваться").click()
    expect(page.get_by_role("heading", name="Ваш чат Telegram")).to_be_visible()

    writes(page, "Протечка под раковиной!", "Отправить")
    expect(page.locator("#state-title")).to_have_text("Ждёт")
    expect(page.get_by_text("Чат Telegram ещё не привязан")).to_be_visible()

    dora = deployment.sandbox.user("Дора Иванова", language_code="ru")
    dora.says("привет")
    code = next(
        line for line in dora.hears().text.splitlines() if re.fullmatch("[2-9A-Z]{8}", line)
    )
    page.get_by_role("link", name="Telegram", exact=True).click()
    page.get_by_label("Код", exact=True).fill(f"{code[:4].lower()} {code[4:]}")
    page.get_by_role("button", name="Привязать", exact=True).click()
    expect(page.get_by_text("Ваш чат Telegram привязан.")).to_be_visible()
    expect(page.get_by_role("heading", name="Привязан чат: Дора Иванова")).to_be_visible()

    page.get_by_role("link", name="Сообщения", exact=True).click()
    expect(page.locator(".messages .chip").first).to_have_text("Отправлено")
    page.get_by_text("Протечка под раковиной!").click()
    expect(page.get_by_text("Telegram его принял.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW[0]


def test_what_waits_for_a_blocked_bot_goes_out_when_it_is_unblocked(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    anna = deployment.sandbox.user("Anna", wrote_first=True)
    page = open_page(person=new_person(linked=anna))
    anna.blocks()
    writes(page, "are you there?")
    expect(page.locator("#state-title")).to_have_text("Held")
    expect(page.get_by_text("You have blocked the bot in Telegram; it goes out")).to_be_visible()
    page.goto("/cabinet")
    expect(page.get_by_text("You have blocked the bot in Telegram.")).to_be_visible()
    anna.unblocks()
    expect(page.locator(".messages .chip").first).to_have_text("Sent")
    expect(page.get_by_text("Linked to Anna")).to_be_visible()


def test_a_refused_message_is_sent_again_by_a_button(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    anna = deployment.sandbox.user("Anna", wrote_first=True)
    page = open_page(person=new_person(linked=anna))
    with deployment.sandbox.fault("cannot_parse", chat=anna):
        writes(page, "an odd one")
        expect(page.locator("#state-title")).to_have_text("Failed")
    expect(page.get_by_text("Telegram refused this text.")).to_be_visible()
    with deployment.sandbox.fault("flood", chat=anna, times=1, retry_after=1):
        page.get_by_role("button", name="Send it again").click()
        expect(page.locator("#state-title")).to_have_text("Sent")
    expect(page.get_by_text("Telegram asked to wait 1 s.")).to_be_visible()
    assert anna.messages()[-1].text.endswith("an odd one")


def test_a_token_is_made_copied_and_used_with_curl(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    anna = deployment.sandbox.user("Anna", wrote_first=True)
    page = open_page(person=new_person(linked=anna))
    page.goto("/cabinet/tokens")
    page.get_by_label("What it is for").fill("backup script")
    page.get_by_role("button", name="Make", exact=True).click()
    copy = page.locator("[data-copy=curl-line]")
    copy.click()
    expect(copy).to_have_text("Copied")
    line = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(
        [*shlex.split(line), "-s", "-w", "%{http_code}"], capture_output=True, text=True, timeout=20
    )
    assert done.stdout.endswith("201"), done
    page.reload()  # shows the list, and neither asks nor makes another one
    expect(page.locator("#new-token")).to_have_count(0)
    expect(page.locator(".entries li")).to_have_count(1)
    page.goto("/cabinet/messages")
    expect(page.locator(".messages .excerpt").first).to_have_text("disk full")
    expect(page.locator(".messages .chip").first).to_have_text("Sent")
    page.goto("/cabinet/tokens")
    page.get_by_role("button", name="Revoke: backup script").click()
    expect(page.get_by_text("The token is revoked and no longer works.")).to_be_visible()


def test_an_admin_disables_an_account_and_its_session_ends(
    open_page: OpenPage, new_person: NewPerson
) -> None:
    victim, boss = new_person("Victim"), new_person("Boss", is_admin=True)
    theirs, page = open_page(person=victim), open_page(person=boss)
    theirs.goto("/cabinet")
    page.goto("/admin/accounts")
    page.get_by_label("Username").fill(victim.username)
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name=victim.username, exact=True).click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("The account is disabled; its sessions have ended.")).to_be_visible()
    # The open page notices by itself, with its next poll.
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_health_page_lives_and_pauses_delivery(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    anna = deployment.sandbox.user("Anna", wrote_first=True)
    boss = new_person("Boss", is_admin=True, linked=anna)
    page, writing = open_page(person=boss), open_page(person=boss)
    page.goto("/admin")
    expect(page.get_by_role("heading", name="Everything works")).to_be_visible()
    page.get_by_role("button", name="Pause delivery").click()
    expect(page.get_by_text("Delivery is paused since")).to_be_visible()
    writes(writing, "waits for the admin")
    expect(writing.locator("#state-title")).to_have_text("Queued")
    queued = page.locator(".figures > div", has_text="Queued").locator("dd")
    expect(queued).to_have_text("1")
    page.get_by_role("button", name="Resume delivery").click()
    expect(writing.locator("#state-title")).to_have_text("Sent")
    expect(queued).to_have_text("0")


def test_everything_can_be_done_with_the_keyboard_alone(
    open_page: OpenPage, new_person: NewPerson
) -> None:
    person = new_person("Anna")
    page = open_page()
    page.goto("/cabinet/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(person.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hello, Anna")).to_be_visible()
    page.goto("/cabinet/send")
    page.locator("#text").focus()
    page.keyboard.type("by keyboard")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#state-title")).to_have_text("Held")


def test_without_scripts_everything_still_works(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    person = new_person("Anna")
    page = open_page(scripts=False)
    page.goto("/cabinet/sign-in")
    page.get_by_label("Username").fill(person.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    writes(page, "no script")
    expect(page.locator("#state-title")).to_have_text("Held")
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator("#state-title")).to_have_text("Cancelled")
    page.get_by_role("button", name="Русский").click()
    expect(page.locator("#state-title")).to_have_text("Отменено")


def test_a_poll_neither_takes_the_focus_nor_what_is_open(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    anna = deployment.sandbox.user("Anna", wrote_first=True)
    person = new_person(linked=anna)
    page = open_page(person=person)
    writes(page, "the first")
    page.goto("/cabinet/messages")
    first = page.locator(".messages a").first
    first.focus()
    number = first.get_attribute("id")
    anna.says("and an answer")
    expect(page.locator(".messages .excerpt").first).to_have_text("and an answer")
    assert page.evaluate("document.activeElement.id") == number


def test_a_server_that_is_away_for_a_moment_changes_nothing_on_an_open_page(
    open_page: OpenPage, deployment: Deployment, new_person: NewPerson
) -> None:
    page = open_page(person=new_person("Anna"))
    page.goto("/cabinet/messages")
    with page.expect_response(lambda answer: "seen=" in answer.url) as polled:
        page.route("**/cabinet/messages?seen=*", lambda route: route.fulfill(status=503, body="no"))
    assert polled.value.status == 503
    expect(page.get_by_text("There are no such messages.")).to_be_visible()
    page.unroute_all()
    with page.expect_response(lambda answer: "seen=" in answer.url) as polled:
        pass
    assert polled.value.status == 204
