"""Messages in one call, whatever becomes of them."""

from typing import Any

from app.services import messages
from app.services.history import MessageEntry
from app.services.messages import Draft
from tests.conftest import Member


def send(member: Member, body: str = "hello", **more: Any) -> MessageEntry:
    """Sends from a member; `more` is a draft's."""
    return messages.send(member.person, Draft(body, **more)).message
