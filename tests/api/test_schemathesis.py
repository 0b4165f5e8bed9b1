"""What the document says is true: schemathesis over it, every check on, nothing left out."""

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from schemathesis.checks import CHECKS, load_all_checks
from sqlalchemy import Engine, text

from app.services import history, limits
from tests.client import client_of
from tests.fuzz import campaign

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
SEED = int(os.environ.get("FUZZ_SEED", "20261120"))
# Off unless it is given a number: how fast an answer comes is measured elsewhere.
NUMBERLESS = {"max_response_time"}
# No link leads there, so that only ids by chance reach it: what schemathesis has deleted must be
# gone, and a cancelled message stays in the history. Its success has tests of its own.
UNLINKED = {"DELETE /v1/messages/{message_id}"}


@pytest.fixture
def in_a_hurry(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Thousands of requests from one network within minutes, none of them from a guesser; nobody
    waits 20 seconds for a message that nobody delivers; the bot has run, so that it has a name."""
    for name, limit in vars(limits).copy().items():
        if isinstance(limit, limits.Limit):
            monkeypatch.setattr(limits, name, replace(limit, most=10**9))
    monkeypatch.setattr(history, "WAIT_MAX", 0.01)
    with database.connect() as connection:
        connection.execute(text("UPDATE bot SET username = 'gonets_test_bot'"))
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


def succeeded(findings: campaign.Findings) -> set[str]:
    return {operation for (operation, status) in findings.answers if 200 <= status < 300}


@pytest.mark.usefixtures("in_a_hurry")
def test_every_answer_is_as_documented(app: Flask) -> None:
    findings = campaign.run(app, examples=EXAMPLES, seed=SEED)
    told = [f"{failure}\n{sample}" for failure, sample in findings.failures.items()]
    assert not told, "\n\n".join([f"{len(told)} failures with seed {SEED}", *told])
    load_all_checks()
    assert findings.checks == {check.__name__ for check in CHECKS.get_all()} - NUMBERLESS
    document: dict[str, Any] = client_of(app).get("/openapi.json").json
    operations = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert operations == {operation for operation, _ in findings.answers}
    assert operations - succeeded(findings) <= UNLINKED
