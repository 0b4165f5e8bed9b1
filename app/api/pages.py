"""The documents and the pages that show them: `/openapi.json`, `/docs/`, `/redoc/`.

Everything they need is served from here; their Content-Security-Policy lets them ask no other host
and run no inline script. Documents of other faces stand in the application's extensions, as pairs
of title and address, and are shown beside ours; `swagger_pages` there names further addresses
where one of them has a Swagger page to itself.
"""

import json
import secrets
from functools import partial
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template, send_from_directory

from app.errors import NotFound

SWAGGER_UI = str(files("flask_swagger_ui") / "dist")
# Files of a fixed version, or that change with a release: a day is neither long nor nothing.
ASSETS_AGE = 86400

_ALONE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The hash is of the style attribute of Swagger UI's logo.
_SWAGGER_POLICY = (
    f"{_ALONE}; script-src 'self'; img-src 'self' data:; connect-src 'self'; style-src 'self' "
    "'unsafe-hashes' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"
)
# ReDoc writes its styles into the page: by nonce, but for two that come before it knows the nonce,
# of which the first is empty. It searches in a worker made of a blob.
_REDOC_POLICY = (
    f"{_ALONE}; script-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "style-src 'self' 'nonce-{nonce}' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)

pages = Blueprint("documents", __name__, template_folder="templates")


def serve(app: Flask, spec: Any) -> None:
    """Adds the pages to `app`, and the document of `spec` as the first that they show."""
    written = json.dumps(spec.to_dict(), ensure_ascii=False).encode()
    app.add_url_rule(
        "/openapi.json", "openapi", lambda: Response(written, mimetype="application/json")
    )
    documents = app.extensions.setdefault("openapi_documents", [])
    documents.insert(0, (spec.title, "/openapi.json"))
    app.register_blueprint(pages)
    for address, title, url in app.extensions.get("swagger_pages", ()):
        shown = [{"name": title, "url": url}]
        app.add_url_rule(address, f"documents.swagger_of.{title}", partial(_swagger, shown))


@pages.get("/docs/")
def show_swagger() -> Response:
    return _swagger(_documents())


@pages.get("/redoc/")
@pages.get("/redoc/<name>")
def show_redoc(name: str = "") -> Response:
    documents = _documents()
    shown = next((d for d in documents if d["page"] == f"/redoc/{name}"), None)
    if shown is None:
        raise NotFound
    nonce = secrets.token_urlsafe(16)
    page = render_template("documents/redoc.html", documents=documents, shown=shown, nonce=nonce)
    return _page(page, _REDOC_POLICY.format(nonce=nonce))


@pages.get("/docs/swagger-ui/<path:name>")
def send_swagger(name: str) -> Response:
    return _asset(SWAGGER_UI, name)


@pages.get("/docs/static/<path:name>")
def send_static(name: str) -> Response:
    return _asset(str(PurePosixPath(__file__).parent / "static"), name)


def _documents() -> list[dict[str, str]]:
    """What there is to show: `/openapi/x.json` has its ReDoc page at `/redoc/x`."""
    listed = current_app.extensions["openapi_documents"]
    pages_of = ["", *(PurePosixPath(url).stem for _, url in listed[1:])]
    return [
        {"name": title, "url": url, "page": f"/redoc/{page}"}
        for (title, url), page in zip(listed, pages_of, strict=True)
    ]


def _swagger(documents: list[dict[str, str]]) -> Response:
    page = render_template(
        "documents/swagger.html", title=documents[0]["name"], documents=documents
    )
    return _page(page, _SWAGGER_POLICY)


def _page(html: str, policy: str) -> Response:
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    return response


def _asset(folder: str, name: str) -> Response:
    response = send_from_directory(folder, name, max_age=ASSETS_AGE)
    response.headers["Cache-Control"] = f"public, max-age={ASSETS_AGE}"
    return response
