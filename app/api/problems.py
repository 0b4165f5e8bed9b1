"""Failures as RFC 9457 has them: `application/problem+json`, whatever went wrong.

What a failure is called stands in `app.errors`; that none escapes, in `app.failures`.
"""

import json
from http import HTTPStatus
from typing import Any

from flask import Response, g

from app.api import ratelimit
from app.errors import QuotaUsedUp, ServiceError

MEDIA_TYPE = "application/problem+json"


def render(error: ServiceError) -> Response:
    """`error` as an answer of this API."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "request_id": g.get("request_id", ""),
    }
    if error.fields:
        problem["errors"] = error.fields
    # A whole line, as the other answers are: whoever asks by curl gets their prompt back below it.
    response = Response(json.dumps(problem) + "\n", error.status, mimetype=MEDIA_TYPE)
    if error.status == 401:
        # Basic is understood too, but not asked for: a browser would put up its own window.
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, QuotaUsedUp):
        response.headers.update(ratelimit.used_up(error))
    return response
