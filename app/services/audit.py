"""The trail of security events: what happened to which account, from where; no personal content."""

from typing import Any

from sqlalchemy.orm import Session

from app import logs
from app.models import AuditEvent
from app.services.people import Visitor

log = logs.get(__name__)


def record(
    session: Session,
    kind: str,
    account_id: int | None,
    visitor: Visitor | None = None,
    *,
    actor_id: int | None = None,
    **detail: Any,
) -> None:
    """Adds one event within the caller's transaction. `detail` holds ids and counts, no text."""
    visitor = visitor or Visitor()
    session.add(
        AuditEvent(
            kind=kind,
            account_id=account_id,
            actor_id=actor_id,
            network=visitor.network,
            request_id=visitor.request_id,
            detail=detail,
        )
    )
    log.info(kind, account_id=account_id, **detail)
