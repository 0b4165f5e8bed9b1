"""Asks a URL again and again until it answers 200, without holding up whoever is interested."""

import json
import threading
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

PAUSE = 0.2  # seconds between two questions
PATIENCE = 5.0  # seconds for one answer

# A machine's proxy is for other machines.
_open = build_opener(ProxyHandler({})).open


class Readiness:
    """Whether a URL has answered 200, and what it said last if it has not."""

    def __init__(self, url: str) -> None:
        self.ready = False
        self.said = "no answer"
        self._url = url
        self._given_up = False
        threading.Thread(target=self._ask_until_ready, daemon=True).start()

    def give_up(self) -> None:
        self._given_up = True

    def _ask_until_ready(self) -> None:
        while not (self.ready or self._given_up):
            self.ready = self._ask()
            if not self.ready:
                time.sleep(PAUSE)

    def _ask(self) -> bool:
        try:
            with _open(self._url, timeout=PATIENCE):
                return True
        except HTTPError as refusal:
            self.said = _in_words(refusal.read(65536)) or f"status {refusal.code}"
        except (OSError, HTTPException):
            self.said = "no answer"
        return False


def _in_words(body: bytes) -> str:
    """The answer on one line, if it is JSON."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        return ""
