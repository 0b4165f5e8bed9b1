"""The Flask extensions and the Celery application, unbound; ways to what they hold: `transaction`
and `single`, `current_request`, `settings`.

`create_app` binds them. This is wiring, not policy: no rule, no table, no task lives here.
"""

import select
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from celery import Celery, Task
from flask import Flask, Request, current_app, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, MetaData, PoolProxiedConnection, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session

from app.config import Settings

# Constraint names that a migration can rely on, whichever PostgreSQL made them.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def _refuse_ended(connection: Any, *_: Any) -> None:
    """A pooled connection that has something to say unasked says that it is over: PostgreSQL was
    restarted, or a keepalive went unanswered. Asking the kernel costs no round trip, as a ping
    would; then all pooled connections are replaced."""
    if connection.closed:
        raise InvalidatePoolError
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise InvalidatePoolError


def _in_transaction(connection: Connection) -> None:
    """Takes a connection back from the autocommit mode that `single` has left it in."""
    driver: Any = connection.connection.dbapi_connection
    wanted = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    if driver.autocommit != wanted:
        driver.autocommit = wanted


class Database(SQLAlchemy):
    """SQLAlchemy on an engine whose connections serve `transaction` and `single` by turns."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        with app.app_context():
            event.listen(self.engine, "begin", _in_transaction)


# Rows stay readable after the commit: what a use case returns needs no second query.
db = Database(
    model_class=Base,
    session_options={"expire_on_commit": False},
    engine_options={
        "pool_events": [(_refuse_ended, "checkout")],
        "skip_autocommit_rollback": True,
    },
)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


@contextmanager
def transaction() -> Iterator[Session]:
    """One use case's transaction: commits at the end, rolls back on any exception.

    Yields the session. Opened once by each public service function, never by what it calls.
    """
    session: Any = db.session
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


@contextmanager
def single() -> Iterator[PoolProxiedConnection]:
    """A connection on which each statement is a transaction by itself, committed when it returns.

    For use cases of one prepared statement: they need not wait for a BEGIN and a COMMIT around it.
    It stays in that mode until a transaction needs it: with each change of it, and each rollback of
    nothing, the driver would hand the interpreter to another thread, twice.
    """
    with closing(db.engine.raw_connection()) as pooled:
        driver: Any = pooled.driver_connection
        if not driver.autocommit:
            driver.autocommit = True
        yield pooled


def current_request() -> Request:
    """The request itself: each look through Flask's stand-in for it is three calls."""
    stand_in: Any = request
    real: Request = stand_in._get_current_object()
    return real


def settings() -> Settings:
    """The settings of the running application."""
    configured: Settings = current_app.config["SETTINGS"]
    return configured


if TYPE_CHECKING:
    _Task = Task[Any, Any]
else:
    _Task = Task


class ContextTask(_Task):
    """A task that runs inside the Flask application's context (Flask's documented pattern)."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        flask_app: Flask = celery.flask_app
        with flask_app.app_context():
            return self.run(*args, **kwargs)


class FlaskCelery(Celery):
    """The Celery application, which knows the Flask application it belongs to."""

    flask_app: Flask

    def init_app(self, app: Flask) -> None:
        """Binds the two: configuration from `app.config["CELERY"]`, tasks in `app`'s context."""
        self.flask_app = app
        self.config_from_object(app.config["CELERY"])
        self.set_default()
        app.extensions["celery"] = self


celery = FlaskCelery("gonets", task_cls=ContextTask, set_as_current=False)
