"""The cabinet and the admin zone: server-rendered pages over the same services as the API."""

from flask import Flask, Response

from app.errors import ServiceError
from app.failures import Face


def register(app: Flask) -> Face:
    """Adds the pages to `app`."""
    return Face("web", _owns, _render)


def _owns(path: str) -> bool:
    return path == "/" or path.split("/")[1] in ("cabinet", "admin")


def _render(error: ServiceError) -> Response:
    return Response(error.detail, error.status, mimetype="text/plain")
