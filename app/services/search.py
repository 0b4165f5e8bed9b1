"""How a search for words stays quick in a long history, whatever is searched for.

A frequent word is found soonest by walking from the newest message back, a rare one by the index
of words; PostgreSQL cannot tell which a word is (the index has each word marked with its account).
So the newest messages are walked first, and what is not among them is asked of the index. That has
the words of settled messages; those that wait are few, and found by their lane.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, union_all

from app.extensions import db
from app.models import OPEN, Lane, Message

# So many of the newest messages are walked, about 10 ms of work.
WALKED = 1000


def newest(query: Select[Any], columns: Any, account_id: int, wanted: str, count: int) -> list[Any]:
    """The newest `count` rows of `query` (of this account's messages) that have every word of
    `wanted` as a word's beginning, as `columns`."""
    words = _has_words(account_id, wanted)
    order = Message.id.desc()
    last_walked = db.session.scalar(
        query.with_only_columns(Message.id).order_by(order).offset(WALKED).limit(1)
    )
    walked = query.where(words).order_by(order).limit(count)
    if last_walked is None:
        return list(db.session.execute(walked).all())
    rows = list(db.session.execute(walked.where(Message.id > last_walked)).all())
    if len(rows) == count:
        return rows
    older = query.with_only_columns(Message.id).where(words, Message.id <= last_walked)
    lane = select(Lane.id).where(Lane.account_id == account_id).scalar_subquery()
    settled = older.where(Message.status.not_in(OPEN))
    waiting = older.where(Message.status.in_(OPEN), Message.lane_id == lane)
    # Materialized: planned without the limit, so by the index of words.
    found = union_all(settled, waiting).cte("found").prefix_with("MATERIALIZED")
    ids = select(found.c.id).order_by(found.c.id.desc()).limit(count - len(rows))
    rest = select(*columns).where(Message.id.in_(ids)).order_by(order)
    return rows + list(db.session.execute(rest).all())


def _has_words(account_id: int, wanted: str) -> ColumnElement[bool]:
    words = func.account_words(Message.account_id, Message.text)
    return words.op("@@")(func.account_query(account_id, wanted))
