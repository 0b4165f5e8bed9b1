"""The product's own JSON API, `/v1`."""

from flask import Flask, Response, jsonify

from app.errors import ServiceError
from app.failures import Face


def register(app: Flask) -> Face:
    """Adds the API to `app`."""
    return Face("api", lambda path: True, _render)


def _render(error: ServiceError) -> Response:
    response: Response = jsonify(code=error.code, detail=error.detail)
    response.status_code = error.status
    return response
