"""How a search for words stays quick in a long history, whatever is searched for.

A frequent word is found soonest by walking from the newest message back, a rare one by the index
of words; PostgreSQL cannot tell which a word is (the index has each word marked with its account).
So the newest messages are walked first, and what is not among them is asked of the index.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from app.extensions import db
from app.models import Message

# So many of the newest messages are walked, about 10 ms of work.
WALKED = 1000


def words_are_in(account_id: int, wanted: str) -> ColumnElement[bool]:
    """Whether a message of this account has every word of `wanted`, as a word's beginning."""
    words = func.account_words(Message.account_id, Message.text)
    return words.op("@@")(func.account_query(account_id, wanted))


def newest(query: Select[Any], columns: Any, words: ColumnElement[bool], count: int) -> list[Any]:
    """The newest `count` rows of `query` (which has every condition but `words`), as `columns`."""
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
    # Materialized: planned without the limit, so by the index of words.
    older = query.with_only_columns(Message.id).where(words, Message.id <= last_walked)
    found = older.cte("found").prefix_with("MATERIALIZED")
    ids = select(found.c.id).order_by(found.c.id.desc()).limit(count - len(rows))
    rest = select(*columns).where(Message.id.in_(ids)).order_by(order)
    return rows + list(db.session.execute(rest).all())
