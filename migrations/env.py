"""How Alembic reaches the database: through the Flask application, without its short timeouts."""

from alembic import context
from flask import current_app
from sqlalchemy import text

db = current_app.extensions["migrate"].db


def run() -> None:
    with db.engine.connect() as connection:
        # Closed at the end, not pooled: nobody else gets its settings, and its lock is let go.
        connection.detach()
        # An index over many rows takes longer than a request may.
        connection.execute(text("SET statement_timeout = 0; SET lock_timeout = '30s'"))
        # Two migrations at once (compose, several hosts) take turns.
        connection.execute(text("SELECT pg_advisory_lock(727001)"))
        connection.commit()
        context.configure(connection=connection, target_metadata=db.metadata)
        with context.begin_transaction():
            context.run_migrations()


run()
