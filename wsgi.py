"""The web application, for a WSGI server: `gunicorn wsgi:app`, `flask --app wsgi …`."""

import sys

from app import create_app
from app.config import BadSetting
from app.delivery import bell
from app.extensions import db

try:
    app = create_app()
except BadSetting as error:
    sys.exit(f"gonets: {error}")


def before_fork() -> None:
    """Makes what the first requests would make in each process, so that processes forked after it
    share it; gunicorn.conf.py calls it.

    Whether all is well at this moment does not matter. Connections are closed: they are not for
    sharing.
    """
    bell.load()
    app.test_client().get("/readyz")
    with app.app_context():
        db.engine.dispose()
