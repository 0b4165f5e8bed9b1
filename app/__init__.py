"""The application: `create_app()` wires settings, extensions and faces together, in one order.

Wiring only. What the parts do stands in their own modules, and who may import whom is held by
tests/test_architecture.py.
"""

from flask import Flask

from app import api, cli, config, dialects, failures, logs, web, wire
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
    # A redirect to add a slash would lose a POST's body; every path answers with and without.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    db.init_app(app)
    migrate.init_app(app, db)
    jwt.init_app(app)
    celery.init_app(app)

    wire.attach(app, settings)
    faces = [*dialects.register(app, settings.dialects), web.register(app), api.register(app)]
    failures.handle(app, faces)
    cli.register(app)
    return app
