"""What holds for the whole application, whoever adds to it: routes, settings, schema, errors."""

import inspect
import re
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask
from openapi_spec_validator import validate
from sqlalchemy import Engine
from sqlalchemy import inspect as look_at
from werkzeug.routing import Rule

from app import config, errors, failures
from app.errors import ServiceError
from app.extensions import celery, db
from app.models import Status
from tests.client import Client

ROOT = Path(__file__).parents[1]

# Everything that answers somebody who is nobody, and why it may.
PUBLIC = re.compile(
    r"/(healthz|readyz|metrics)"  # for machines that watch; no names, no texts
    r"|/|/favicon\.ico|/robots\.txt|/static/.*"  # the first page and what pages need
    r"|/cabinet/(sign-in|sign-up|language)(/.*)?"  # the way in
    r"|/openapi(\.json|/.*)|/docs/?.*|/redoc/?.*"  # documents
    r"|/v1/auth/(register|login|refresh)"
    r"|/api/v1/auth/(users|jwt/create|jwt/refresh|jwt/verify)/?"  # dialect 1
    r"|/api/?|/api/auth/?"  # dialect 2: its Swagger, its sign-in
    r"|/api/users/register/?|/auth/token/?|/auth/token/refresh/?"  # dialect 3
    r"|/signup/?|/login/?|/logout/?"  # dialect 4
    r"|/users/(signup|login)/?"  # dialect 5
)
# Dialect 2 registers at the address where it changes and removes, too.
PUBLIC_METHODS = {("POST", "/api/user")}

# What docker-compose.yml asks for and the program never sees: it gets DATABASE_URL.
COMPOSE_ONLY = {"POSTGRES_PASSWORD"}


def rules(app: Flask) -> list[tuple[str, str]]:
    """Every method and path, with an id where the path wants one."""
    return [
        (method, _filled(rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _filled(rule: Rule) -> str:
    return re.sub(r"<[^>]+>", "1", rule.rule)


def test_every_route_refuses_an_anonymous_call_or_is_in_the_short_public_list(
    app: Flask, client: Client
) -> None:
    open_to_all = []
    for method, path in rules(app):
        if PUBLIC.fullmatch(path) or (method, path.rstrip("/")) in PUBLIC_METHODS:
            continue
        answer = client.open(path, method=method, json={} if method != "GET" else None)
        refused = answer.status_code in (401, 403, 404) or (
            answer.status_code in (302, 303) and "/cabinet/sign-in" in answer.location
        )
        if not refused:
            open_to_all.append(f"{method} {path}: {answer.status_code}")
    assert not open_to_all


def test_no_two_faces_answer_the_same_method_and_path(app: Flask) -> None:
    seen = Counter(
        (method, re.sub(r"<[^>]+>", "<>", rule.rule.rstrip("/") or "/"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )
    assert not [key for key, count in seen.items() if count > 1]


def test_every_setting_is_in_the_readme_and_the_example_and_the_reverse() -> None:
    settings = {setting.name.upper() for setting in config.SETTINGS}
    example = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    readme = set(re.findall(r"^\| `([A-Z][A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.M))
    assert example == settings | COMPOSE_ONLY
    assert readme == settings


def test_the_readme_tells_each_settings_default() -> None:
    readme = (ROOT / "README.md").read_text()
    for setting in config.SETTINGS:
        default = setting.metadata["default"]
        if default:
            row = next(line for line in readme.splitlines() if f"`{setting.name.upper()}`" in line)
            assert f"`{default}`" in row, row


def test_the_models_match_the_migrations(migrated: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with migrated.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), db.metadata)
    assert difference == []
    assert set(look_at(migrated).get_table_names()) - {"alembic_version"} == set(db.metadata.tables)


def test_the_migrations_are_one_line(app: Flask) -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    alembic = Config()
    alembic.set_main_option("script_location", str(ROOT / "migrations"))
    script = ScriptDirectory.from_config(alembic)
    assert len(script.get_heads()) == 1
    assert all(not isinstance(r.down_revision, tuple) for r in script.walk_revisions())


def test_the_openapi_document_is_valid(client: Client) -> None:
    document = client.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_the_openapi_document_has_every_route_of_the_api_and_no_other(
    app: Flask, client: Client
) -> None:
    document = client.get("/openapi.json").json
    documented = {
        (method.upper(), re.sub(r"\{[^}]+\}", "<>", path))
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    served = {
        (method, re.sub(r"<[^>]+>", "<>", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/v1/") or rule.rule in ("/healthz", "/readyz", "/metrics")
    }
    assert documented == served


def _kinds(kind: type[ServiceError] = ServiceError) -> list[type[ServiceError]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _kinds(child))]


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/cabinet/messages",
        "/api/v1/message/",
        "/api/user/",
        "/api/messages/",
        "/message/",
        "/message/sent",
    ],
)
def test_every_kind_of_failure_is_rendered_by_every_face(
    make_app: object, app: Flask, kind: type[ServiceError], path: str
) -> None:
    raised = kind(fields={"text": ["wrong"]}, retry_after=3)
    with app.test_request_context(path, method="POST"):
        app.preprocess_request()
        answer = app.handle_user_exception(raised)
        response = app.make_response(answer)
    # What is wrong with a field is a 400 in the dialects, as it was in their originals.
    of_field = issubclass(kind, errors.Invalid | errors.UsernameTaken)
    assert response.status_code in ({kind.status, 400} if of_field else {kind.status})
    assert response.headers["Retry-After"] == "3"
    assert len(response.get_data()) > 2
    assert "Traceback" not in response.get_data(as_text=True)


def test_every_kind_of_failure_has_a_code_of_its_own_and_words() -> None:
    codes = Counter(kind.code for kind in _kinds())
    assert [code for code, count in codes.items() if count > 1] == []
    assert all((kind.__doc__ or "").strip() for kind in _kinds())


def test_a_failure_nobody_thought_of_is_an_internal_error_without_its_words(app: Flask) -> None:
    with app.test_request_context("/v1/messages"):
        kind = failures.kind_of(RuntimeError("secret words"))
    assert isinstance(kind, errors.Internal)
    assert "secret" not in kind.detail


def test_every_celery_task_of_ours_is_registered_and_takes_ids_at_most(app: Flask) -> None:
    celery.loader.import_default_modules()
    ours = {name for name in celery.tasks if not name.startswith("celery.")}
    assert ours == {"gonets.drain"}
    assert not inspect.signature(celery.tasks["gonets.drain"].run).parameters


def test_every_status_of_a_message_is_told_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for status in Status:
        assert f"`{status}`" in readme, status
