"""What answers of the API must look like, whatever they say."""

from typing import Any

from tests.client import Answer

PROBLEM_FIELDS = {"type", "title", "status", "code", "detail", "request_id"}


def assert_problem(answer: Answer, status: int, code: str | None = None, field: str = "") -> None:
    """`answer` is an RFC 9457 problem of this status and code; `errors` names this field."""
    assert answer.status_code == status, (answer.status_code, answer.get_data(as_text=True)[:500])
    assert answer.mimetype == "application/problem+json"
    problem = answer.json
    assert set(problem) - {"errors"} == PROBLEM_FIELDS
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert "Traceback" not in problem["detail"]
    assert code in (None, problem["code"]), problem
    if field:
        assert field in problem["errors"], problem
        assert all(isinstance(words, str) and words for words in problem["errors"][field])
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if status == 405:
        assert answer.headers["Allow"]
    if status == 429:
        assert int(answer.headers["Retry-After"]) >= 1


def without_request_id(answer: Answer) -> dict[str, Any]:
    """A problem as another request with the same answer would have it."""
    return {name: value for name, value in answer.json.items() if name != "request_id"}
