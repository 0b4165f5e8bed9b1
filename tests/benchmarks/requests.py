"""Rows 1, 2, 3, 10: a request against a bare route, a short history, a quiet server."""

import json
import time
from collections.abc import Iterator
from functools import partial
from statistics import median

from app.services import history, names, passwords
from app.services.history import Filter
from app.services.people import Person
from tests.benchmarks import load
from tests.benchmarks.load import Load, Outcome
from tests.benchmarks.stage import Stage
from tests.benchmarks.table import Row, in_turns, ratios
from tests.running import BIN, Part, answers, free_port

ACCOUNTS = 32
CONNECTIONS = 16
# Short turns and many: what else a shared machine does comes and goes within seconds.
POSTING_SECONDS = 1.5
POSTING_TURNS = 15
STEADY_SECONDS = 4.0
LOGINS_A_MINUTE = 1000
TURNS = 5
JSON = {"Content-Type": "application/json"}
PASSWORD = "correct horse battery"
_SIGNED_IN = "SELECT count(*) FROM audit_event WHERE kind = 'signed_in'"
BODY = '{"text": "The backup of tonight is done: 42 files, no error."}'


def posting(stage: Stage) -> Iterator[Row]:
    """1 and 2: messages accepted a second, by access token and by send token."""
    stage.clear()
    people = stage.people(ACCOUNTS)
    web = stage.running.web()
    bare = _bare(stage)
    access = [_bearer(token) for token in stage.access_tokens(people)]
    sending = [_bearer(token) for token in stage.send_tokens(people)]
    post = [load.request("POST", "/v1/messages", JSON | h, BODY) for h in access]
    plain = {"Content-Type": "text/plain"}
    one_liner = [
        load.request("POST", "/v1/send", plain | h, "The backup is done.") for h in sending
    ]
    yardstick = [load.request("POST", "/bare", JSON, BODY)]
    yield _versus("1", "POST `/v1/messages`, access token", web, post, bare, yardstick, 0.50)
    yield _versus("2", "POST `/v1/send`, send token", web, one_liner, bare, yardstick, 0.55)
    web.kill()
    bare.kill()


def histories(stage: Stage, long: int = 1_000_000) -> Iterator[Row]:
    """3: a page of a long history, first and deep, against the first page of a short one."""
    stage.clear()
    short_one, long_one = stage.people(2, "h")
    _history(stage, short_one, 1000)
    _history(stage, long_one, long)
    stage.sql("VACUUM ANALYZE message")
    web = stage.running.web()
    first = [_pages(stage, person, 0) for person in (short_one, long_one)]
    cases = {
        "first page of 1,000,000": first[1],
        "1,000th page of 1,000,000": _pages(stage, long_one, 1000 * 50),
        "last page of 1,000": _pages(stage, short_one, 900),
    }
    for what, pages in cases.items():
        ours, base = in_turns(partial(_p50, web, pages), partial(_p50, web, first[0]), TURNS)
        name = f"GET `/v1/messages?limit=50`: {what}"
        yield Row("3", name, ours, base, ratios(ours, base), 1.3, False, "ms")
    web.kill()


def posting_while_passwords_are_hashed(stage: Stage) -> Iterator[Row]:
    """10: p99 of POST at a steady rate, with and without 1,000 logins a minute beside it."""
    stage.clear()
    people = stage.people(ACCOUNTS)
    web = stage.running.web()
    post = [
        load.request("POST", "/v1/messages", JSON | _bearer(token), BODY)
        for token in stage.access_tokens(people)
    ]
    login = _right_passwords(stage, people)
    begun = stage.scalar(_SIGNED_IN)
    ours, base = [], []
    for _ in range(TURNS):
        base.append(_steady(web, post).p99)
        with load.running(Load(web.port, login, 8, 6.0, rate=LOGINS_A_MINUTE / 60)):
            time.sleep(0.5)
            ours.append(_steady(web, post).p99)
    hashed = stage.scalar(_SIGNED_IN) - begun
    expected = TURNS * STEADY_SECONDS * LOGINS_A_MINUTE / 60
    yield Row(
        "10",
        "p99 of POST `/v1/messages` at 100/s beside 1,000 logins a minute",
        ours,
        base,
        ratios(ours, base),
        3,
        False,
        "ms",
        note=f"{hashed} signed in meanwhile",
        sound=hashed >= 0.8 * expected,
    )
    web.kill()


def _versus(
    number: str,
    what: str,
    web: Part,
    ours: list[str],
    bare: Part,
    yardstick: list[str],
    target: float,
) -> Row:
    mine: list[Outcome] = []
    theirs: list[Outcome] = []
    _hammer(web, ours, 1.0), _hammer(bare, yardstick, 1.0)
    for _ in range(POSTING_TURNS):
        mine.append(_hammer(web, ours, POSTING_SECONDS))
        theirs.append(_hammer(bare, yardstick, POSTING_SECONDS))
    tails = ratios([o.p99 for o in mine], [o.p99 for o in theirs])
    errors = sum(o.errors for o in mine)
    figures = [o.per_second for o in mine], [o.per_second for o in theirs]
    return Row(
        number,
        f"{what}, 32 accounts, 16 connections",
        *figures,
        ratios(*figures),
        target,
        True,
        "/s",
        note=f"errors {errors}; p99 {median(tails):.2f} × its p99 (≤ 4)",
        sound=errors == 0 and median(tails) <= 4,
    )


def _bare(stage: Stage) -> Part:
    stage.sql("CREATE TABLE IF NOT EXISTS bare (id bigint GENERATED ALWAYS AS IDENTITY, text text)")
    port = free_port()
    command = [str(BIN / "gunicorn"), "tests.benchmarks.bare:app"]
    part = stage.running.start("bare", command, {"PORT": str(port)})
    part.port = port
    stage.running.wait(part, lambda: answers(f"{part.url}/ready"))
    return part


def _history(stage: Stage, person: Person, count: int) -> None:
    stage.sql(
        """
        INSERT INTO message (account_id, lane_id, seq, direction, text, greeting, status,
                             sent_at, parts_sent, attempts_made, telegram_message_ids,
                             created_at, expires_at)
        SELECT :account, lane.id, n, 'out', 'message number ' || n, 'Name:', 'sent',
               now(), 1, 1, ARRAY[n], now() - make_interval(secs => :count - n), now()
        FROM lane, generate_series(1, :count) AS n WHERE lane.account_id = :account
        """,
        account=person.id,
        count=count,
    )


def _pages(stage: Stage, person: Person, skip: int) -> list[str]:
    """Requests for the page that begins after `skip` messages."""
    path = "/v1/messages?limit=50"
    if skip:
        newest = stage.scalar("SELECT max(id) FROM message WHERE account_id = :id", id=person.id)
        with stage.app.app_context():
            path += f"&cursor={history.cursor_after(person, Filter(), newest - skip + 1)}"
    (token,) = stage.access_tokens([person])
    return [load.request("GET", path, _bearer(token))]


def _p50(web: Part, requests: list[str]) -> float:
    outcome = load.run(Load(web.port, requests, 1, 2.0))
    assert outcome.errors == 0, outcome.statuses
    return outcome.p50


def _right_passwords(stage: Stage, people: list[Person]) -> list[str]:
    """A sign-in of each of them. Wrong ones would soon be refused without a hash: they are from one
    network."""
    hashed = passwords.hash(PASSWORD)
    for person in people:
        stage.sql(
            "UPDATE account SET username_key = :key, password_hash = :hash WHERE id = :id",
            key=names.lookalike(person.username),
            hash=hashed,
            id=person.id,
        )
    bodies = [json.dumps({"username": p.username, "password": PASSWORD}) for p in people]
    return [load.request("POST", "/v1/auth/login", JSON, body) for body in bodies]


def _steady(web: Part, requests: list[str]) -> Outcome:
    outcome = load.run(Load(web.port, requests, 8, STEADY_SECONDS, rate=100))
    assert outcome.errors == 0, outcome.statuses
    return outcome


def _hammer(part: Part, requests: list[str], seconds: float) -> Outcome:
    return load.run(Load(part.port, requests, CONNECTIONS, seconds))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
