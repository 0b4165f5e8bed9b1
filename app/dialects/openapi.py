"""The OpenAPI 3.1 document of a dialect, written from the declarations of its operations.

Schemas come from the documented examples: what a declaration shows is what the document says.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from app.dialects.contract import Dialect, Operation


class Schema(dict[str, Any]):
    """A JSON Schema that stands within an example where the example alone would say too little."""


TEXT_OR_NULL = Schema(type=["string", "null"])

_TYPES: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", type(None): "null"}
_JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def document(dialect: Dialect) -> dict[str, Any]:
    """Everything that `dialect` answers, in OpenAPI's terms."""
    paths: dict[str, Any] = {}
    # With and without its slash a path is one and the same: as the original spells it first.
    spelt: dict[str, str] = {}
    for operation in dialect.operations:
        path = spelt.setdefault(operation.path.rstrip("/"), operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(dialect, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": dialect.title, "description": dialect.about, "version": "1"},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Failure": _failure(dialect)},
            "securitySchemes": {name: dict(how) for name, how in dialect.security.items()},
        },
    }


def schema_of(example: Any) -> dict[str, Any]:
    """The schema of everything that looks like `example`: the same keys, the same types."""
    if isinstance(example, Schema):
        return dict(example)
    if isinstance(example, dict):
        return {
            "type": "object",
            "properties": {name: schema_of(value) for name, value in example.items()},
            "required": list(example),
            "additionalProperties": False,
        }
    if isinstance(example, list):
        return {"type": "array", "items": schema_of(example[0])}
    return {"type": _TYPES[type(example)], "examples": [example]}


def _operation(dialect: Dialect, operation: Operation) -> dict[str, Any]:
    told = inspect.getdoc(operation.view) or ""
    own_credential = operation.known_by is dialect.known_by
    described: dict[str, Any] = {
        "operationId": operation.view.__name__,
        "summary": re.split("[;.]", told)[0],
        "description": told,
        "security": [{name: []} for name in dialect.security] if own_credential else [],
        "responses": {
            str(status): _response("The usual answer.", schema_of(example))
            for status, example in operation.answers.items()
        },
    }
    failure = _response("What was wrong.", {"$ref": "#/components/schemas/Failure"})
    described["responses"] |= {"4XX": failure, "5XX": failure}
    if operation.body:
        described["requestBody"] = _body(operation, _FORMS if dialect.forms else ())
    if operation.pages:
        described["parameters"] = [_number("page"), _number("page_size")]
    return described


def _body(operation: Operation, forms: tuple[str, ...]) -> dict[str, Any]:
    fields = {
        "type": "object",
        "properties": {
            name: {"type": "string", "minLength": 1, "examples": [example]}
            for name, example in operation.body.items()
        },
        "required": [name for name in operation.body if name not in operation.optional],
    }
    return {"required": True, "content": {kind: {"schema": fields} for kind in (_JSON, *forms)}}


def _number(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1},
    }


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _failure(dialect: Dialect) -> dict[str, Any]:
    """The schema of the dialect's failures, found by asking it for one of each kind."""
    told = dialect.shape(None, "why", {})
    of_fields = dialect.shape(None, "why", {"field": ["why"]})
    if told.keys() == of_fields.keys():
        return schema_of(told)
    code = {"code": {"type": "string"}} if dialect.codes else {}
    plain = schema_of(told)
    plain["properties"] |= code
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    return {"anyOf": [plain, {"type": "object", "additionalProperties": texts}]}
