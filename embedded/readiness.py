"""Asks a URL again and again until all is well, without holding up whoever is interested."""

import json
import threading
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

PAUSE = 0.1  # seconds between two questions while nobody answers
PAUSE_AFTER_ANSWER = 0.3  # every one of these is a line in a log
PATIENCE = 5.0  # seconds for one answer
NO_ANSWER = "no answer"
LONGEST = 65536  # bytes of it that are read

# A machine's proxy is for other machines.
_open = build_opener(ProxyHandler({})).open


class Readiness:
    """What a URL answers: `ready` once it was 200, `whole` once no part was said to be missing."""

    def __init__(self, url: str) -> None:
        self.ready = False
        self.whole = False
        self.said = NO_ANSWER
        self._url = url
        self._given_up = False
        threading.Thread(target=self._ask_until_ready, daemon=True).start()

    def give_up(self) -> None:
        self._given_up = True

    def _ask_until_ready(self) -> None:
        while not (self.whole or self._given_up):
            self._ask()
            time.sleep(PAUSE if self.said == NO_ANSWER else PAUSE_AFTER_ANSWER)

    def _ask(self) -> None:
        try:
            with _open(self._url, timeout=PATIENCE) as answer:
                state, body = answer.status, answer.read(LONGEST)
        except HTTPError as refusal:
            state, body = refusal.code, refusal.read(LONGEST)
        except (OSError, HTTPException):
            state, body = 0, b""
        missing = _missing(body)
        self.said = ", ".join(missing) or (f"status {state}" if state else NO_ANSWER)
        self.ready = state == 200
        self.whole = self.ready and not missing


def _missing(body: bytes) -> list[str]:
    """The parts that are not `ok` in an answer such as that of /readyz."""
    try:
        parts = json.loads(body)["parts"].items()
        return [_in_words(name, part) for name, part in parts if part["status"] != "ok"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _in_words(name: str, part: dict[str, str]) -> str:
    return f"{name} {part['status']} ({part['detail']})" if part.get("detail") else name
