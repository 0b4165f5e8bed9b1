"""The web application, for a WSGI server: `gunicorn wsgi:app`, `flask --app wsgi …`."""

import sys

from app import create_app
from app.config import BadSetting

try:
    app = create_app()
except BadSetting as error:
    sys.exit(f"gonets: {error}")
