"""The application: `create_app()` wires settings, extensions and faces together, in one order.

Wiring only. What the parts do stands in their own modules, and who may import whom is held by
tests/test_architecture.py.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask

from app import config, logs
from app.config import Settings
from app.extensions import celery, db


class _Flask(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Nothing here is a coroutine; Flask would look again, ten times for each request."""
        return func


def create_app(settings: Settings | None = None, *, serves: bool = True) -> Flask:
    """A Flask application for `settings`, or for those of the environment.

    Worker and bot serve nobody: theirs has no faces. Raises `config.BadSetting` when a setting
    cannot work.
    """
    settings = settings or config.from_environment()
    logs.configure(settings)
    app = _Flask(__name__, static_folder=None)
    app.config.from_mapping(config.for_flask(settings))
    # A redirect to add a slash would lose a POST's body; every path answers with and without.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    db.init_app(app)
    celery.init_app(app)
    if serves:
        _add_faces(app, settings)
    return app


def _add_faces(app: Flask, settings: Settings) -> None:
    # Imported here, so that who has no faces has nothing of theirs in memory.
    from flask_jwt_extended import JWTManager

    from app import api, cli, dialects, failures, web, wire

    JWTManager(app)
    wire.attach(app, settings)
    faces = [*dialects.register(app, settings.dialects), web.register(app), api.register(app)]
    failures.handle(app, faces)
    cli.register(app)
