"""Whoever calls during a campaign: people whose sessions end and whose accounts are erased by the
very requests they make, and who are back for the next one."""

import threading
from typing import Any

from flask import Flask
from schemathesis import AuthContext, Case
from schemathesis.wfc.escalation import EscalatingAuthProvider

from app.errors import NotFound, ServiceError
from app.services import accounts, sessions
from app.services.accounts import Registration
from app.services.people import Visitor
from app.services.sessions import Tokens

PASSWORD = "one that is nowhere else"
HOME = Visitor("192.0.2.7")


class Caller:
    """One person, always able to call: signed in anew whenever a request has signed them out."""

    def __init__(self, app: Flask, username: str) -> None:
        self.app = app
        self.username = username
        self._tokens: Tokens | None = None
        self._lock = threading.Lock()

    def get(self, case: Case[Any], context: AuthContext) -> str:
        with self._lock, self.app.app_context():
            tokens = self._living()
        is_refresh = context.operation.path == "/v1/auth/refresh"
        return tokens.refresh if is_refresh else tokens.access

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"

    def _living(self) -> Tokens:
        try:
            assert self._tokens is not None
            sessions.verify(self._tokens.access)
            sessions.verify(self._tokens.refresh)
        except (AssertionError, ServiceError):
            self._tokens = sessions.begin(self._person(), HOME)
        return self._tokens

    def _person(self) -> Any:
        try:
            return accounts.find(self.username)
        except NotFound:
            return accounts.register(Registration(self.username, PASSWORD), HOME)


def peers(app: Flask, *usernames: str) -> EscalatingAuthProvider:
    """Several people, none of whom may see what is another's."""
    return EscalatingAuthProvider(
        [Caller(app, name) for name in usernames], list(usernames), peers=usernames
    )
