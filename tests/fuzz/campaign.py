"""One campaign: every operation, every check, every phase, over real HTTP."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from werkzeug.serving import make_server

from tests.fuzz import people, unsaid


@dataclass
class Findings:
    """What came of it. `answers` counts statuses by operation, `failures` has each kind once."""

    failures: dict[str, str] = field(default_factory=dict)
    checks: set[str] = field(default_factory=set)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.answers.total()

    def note(self, event: events.EngineEvent) -> None:
        match event:
            case events.ScenarioFinished():
                self._note_scenario(event)
            case events.NonFatalError():
                self.failures[f"{event.label}: {event.value!r}"] = ""
            case events.FatalError():
                self.failures[repr(event.exception)] = ""

    def _note_scenario(self, event: events.ScenarioFinished) -> None:
        recorded = event.recorder
        for case_id, interaction in recorded.interactions.items():
            if interaction.response is not None and case_id in recorded.cases:
                label = recorded.cases[case_id].value.operation.label
                self.answers[label, interaction.response.status_code] += 1
        for check in (check for checks in recorded.checks.values() for check in checks):
            self.checks.add(check.name)
            if check.status is Status.FAILURE and check.failure_info is not None:
                failure = check.failure_info.failure
                told = f"{failure.operation}: {failure.title}: {failure.message}"
                self.failures.setdefault(told, check.failure_info.code_sample)


def run(app: Flask, *, examples: int, seed: int | None = None) -> Findings:
    """Sends `examples` generated requests to each operation, and as many sequences along links."""
    findings = Findings()
    with served(app) as url, unsaid.kept(app):
        schema = schemathesis.openapi.from_url(
            f"{url}/openapi.json", config=_config(examples, seed)
        )
        schema.auth.providers.append(people.peers(app, "fuzzed-alice", "fuzzed-bob"))
        for event in from_schema(schema).execute():
            findings.note(event)
    return findings


def _config(examples: int, seed: int | None) -> SchemathesisConfig:
    settings = {
        "continue-on-failure": True,
        # Nobody's secrets; without them a finding could not be found again.
        "output": {"sanitization": {"enabled": False}},
        "generation": {"max-examples": examples},
        # Sequences follow the links of the document. Guessed ones would hold that what was deleted
        # is gone; DELETE of a message cancels it, and it stays in the history.
        "phases": {"stateful": {"inference": {"algorithms": []}}},
    }
    return SchemathesisConfig.from_dict(settings if seed is None else settings | {"seed": seed})


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """`app` on a free port of this machine, in threads of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
