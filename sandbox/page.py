"""The chat page at `/`: a person's side of the conversation, in a browser.

Serves files only; what the page does goes through the control API. Nothing on it comes from
another host.
"""

from pathlib import Path

from sandbox.http import Request, Response, json_response

_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Page:
    """The page's files, read once."""

    def __init__(self) -> None:
        self._files = {
            f"/page/{path.name}": (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(_FOLDER.iterdir())
            if path.suffix in _TYPES
        }

    def answer(self, request: Request) -> Response:
        """A file, or 404."""
        path = "/page/index.html" if request.path == "/" else request.path
        if path not in self._files or request.verb not in ("GET", "HEAD"):
            return json_response(404, {"error": f"there is no {request.path} here"})
        body, content_type = self._files[path]
        return Response(200, body, content_type, dict(_HEADERS))
