"""Five older services' APIs over the same services: each file translates, none decides.

A client written for one of them works here by changing its host. They stand side by side; a path
that none of them answers belongs to the one with the longest prefix of it.
"""

from collections.abc import Sequence
from functools import partial

from flask import Flask

from app.dialects import (
    djangobot,
    factoryapp,
    jwt_message,
    message_sender,
    openapi,
    telegram_task,
)
from app.dialects.contract import Dialect, answer
from app.failures import Face

DIALECTS = (
    message_sender.dialect,
    djangobot.dialect,
    factoryapp.dialect,
    jwt_message.dialect,
    telegram_task.dialect,
)


def register(app: Flask, names: Sequence[str]) -> list[Face]:
    """Adds the dialects with these names to `app`, each with its OpenAPI document."""
    spoken = [dialect for dialect in DIALECTS if dialect.name in names]
    # The documentation pages show what stands here, whichever face put it there.
    documents = app.extensions.setdefault("openapi_documents", [])
    swagger_pages = app.extensions.setdefault("swagger_pages", [])
    for dialect in spoken:
        dialect.serve(app)
        documents.append((dialect.title, _publish(app, dialect)))
        if dialect.swagger_at:
            swagger_pages.append((dialect.swagger_at, *documents[-1]))
    return [Face(d.name, partial(_owns, spoken, d), d.render) for d in spoken]


def _publish(app: Flask, dialect: Dialect) -> str:
    """Serves the dialect's OpenAPI document; where."""
    url = f"/openapi/{dialect.name}.json"
    app.add_url_rule(
        url, f"{dialect.name}.openapi", lambda: answer(openapi.document(dialect)), methods=["GET"]
    )
    return url


def _owns(spoken: Sequence[Dialect], dialect: Dialect, path: str) -> bool:
    """Whether of all prefixes of `path` the longest is this dialect's."""
    prefixes = [
        (len(prefix), candidate.name)
        for candidate in spoken
        for prefix in candidate.prefixes
        if path == prefix or path.startswith(f"{prefix}/")
    ]
    return max(prefixes, default=(0, ""))[1] == dialect.name
