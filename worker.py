"""The Celery worker: `celery -A worker worker --pool threads`, and what Flower looks at."""

import sys

from app import create_app
from app.config import BadSetting
from app.extensions import celery

try:
    create_app()
except BadSetting as error:
    sys.exit(f"gonets: {error}")

__all__ = ["celery"]
