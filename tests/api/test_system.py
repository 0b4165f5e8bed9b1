"""/healthz, /readyz, /metrics: for the machines that watch."""

import re

import pytest
from sqlalchemy import Engine, text

from tests.api.answers import assert_problem
from tests.client import Client
from tests.conftest import Member


def execute(database: Engine, statement: str) -> None:
    with database.connect() as connection:
        connection.execute(text(statement))


@pytest.fixture
def all_well(database: Engine) -> None:
    """A worker and a bot that live."""
    execute(
        database,
        """
          INSERT INTO heartbeat (name, kind, started_at, at)
          VALUES ('w1', 'worker', now(), now()), ('b1', 'bot', now(), now())
        """,
    )


def test_alive_asks_nobody(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.usefixtures("all_well")
def test_ready_part_by_part(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["status"] == "ready"
    assert set(answer.json["parts"]) == {
        "database", "broker", "worker", "bot", "telegram", "delivery",
    }  # fmt: skip
    assert all(part == {"status": "ok", "detail": ""} for part in answer.json["parts"].values())


def test_without_worker_and_bot_it_is_degraded_and_still_takes_messages(
    client: Client, alice: Member
) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["status"] == "degraded"
    assert answer.json["parts"]["worker"]["status"] == "degraded"
    assert answer.json["parts"]["bot"]["detail"]
    assert alice.post("/v1/messages", {"text": "x"}).status_code == 201


@pytest.mark.usefixtures("all_well")
def test_a_rejected_bot_token_makes_it_unready(client: Client, database: Engine) -> None:
    execute(database, "UPDATE bot SET hold_reason = 'bot_rejected'")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "unready"
    assert answer.json["parts"]["telegram"]["status"] == "failed"


def test_metrics_count_and_gauge_without_names(client: Client, linked_alice: Member) -> None:
    linked_alice.post("/v1/messages", {"text": "canary text"})
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    told = answer.get_data(as_text=True)
    for name in (
        "gonets_messages_accepted_total",
        "gonets_messages_finished_total",
        "gonets_telegram_flood_answers_total",
        "gonets_send_call_seconds_bucket",
        "gonets_delivery_seconds_count",
    ):
        assert name in told, name
    assert 'gonets_messages_waiting{status="queued"} 1.0' in told
    assert re.search(r"^gonets_oldest_due_age_seconds \d", told, re.M)
    assert "gonets_due_lanes 1.0" in told
    assert "canary" not in told
    assert "alice" not in told


def test_refused_credentials_are_counted_by_scheme(client: Client) -> None:
    def refused() -> float:
        found = re.search(
            r'gonets_auth_failures_total{scheme="bearer"} (\S+)',
            client.get("/metrics").get_data(as_text=True),
        )
        return float(found[1]) if found else 0.0

    before = refused()
    answer = client.get("/v1/users/me", headers={"Authorization": "Bearer garbage"})
    assert_problem(answer, 401)
    assert refused() == before + 1
