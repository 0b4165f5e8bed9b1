"""The application: `create_app()` wires settings, extensions and faces together, in one order.

Wiring only. What the parts do stands in their own modules; the shape of the whole is told in
docs/architecture.md, and who may import whom is held by tests/test_architecture.py.
"""

from flask import Flask

from app import config, logs, models
from app.config import Settings
from app.extensions import celery, db, jwt, migrate


def create_app(settings: Settings | None = None) -> Flask:
    """A Flask application for `settings`, or for those of the environment.

    Raises `config.BadSetting` when one of them cannot work.
    """
    settings = settings or config.from_environment()
    logs.configure(settings)
    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(config.for_flask(settings))
    db.init_app(app)
    migrate.init_app(app, db)
    jwt.init_app(app)
    celery.init_app(app)
    app.shell_context_processor(lambda: {"db": db, "models": models})
    return app
