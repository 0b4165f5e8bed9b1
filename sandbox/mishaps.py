"""What a client sees when a fault hits its call: from the rule and the true answer to the false."""

import json

from sandbox import refusals
from sandbox.faults import Fault
from sandbox.http import Ending, Response, json_response
from sandbox.refusals import Refusal

_PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
)

_REFUSALS = {
    "server_error": Refusal(500, "Internal Server Error"),
    "unauthorized": refusals.unauthorized(),
    "not_found": refusals.not_found(),
    "conflict": refusals.another_poller(),
    "blocked": refusals.forbidden("bot was blocked by the user"),
    "deactivated": refusals.forbidden("user is deactivated"),
    "kicked": refusals.forbidden("bot was kicked from the group chat"),
    "chat_not_found": refusals.bad_request("chat not found"),
    "too_long": refusals.bad_request("message is too long"),
    "cannot_parse": refusals.bad_request(
        "can't parse entities: Can't find end tag corresponding to start tag \"b\""
    ),
}
_PAGES = {"bad_gateway": (502, "502 Bad Gateway"), "gateway_timeout": (504, "504 Gateway Time-out")}
_BODIES = {
    "garbage": b"\x00\x9f\x92\x96 this is not JSON",
    "no_ok": b'{"result":{}}',
    "null": b"null",
    "empty_result": b'{"ok":true,"result":{}}',
}


def response(fault: Fault, truth: Response | None) -> Response:
    """The answer; `truth` is what the call really came to, None if it was never carried out."""
    kind = fault.kind
    if kind in _REFUSALS:
        return _REFUSALS[kind].response()
    if kind in _PAGES:
        status, title = _PAGES[kind]
        return Response(status, _PAGE.format(title).encode(), "text/html")
    if kind in _BODIES:
        return Response(200, _BODIES[kind])
    if kind in ("cut", "reset"):
        return Response(0, ending=Ending.CLOSE if kind == "cut" else Ending.RESET)
    if kind == "flood":
        return _flood(fault.retry_after)
    if kind == "error":
        return Refusal(fault.code, fault.description, fault.parameters).response()
    if kind == "migrate":
        return refusals.upgraded(fault.migrate_to_chat_id).response()
    return _damaged(fault, truth or json_response(200, {"ok": True, "result": {"message_id": 1}}))


def _flood(retry_after: int | None) -> Response:
    if retry_after is None:
        return Refusal(429, "Too Many Requests").response()
    return refusals.too_many_requests(retry_after).response()


def _damaged(fault: Fault, truth: Response) -> Response:
    """The true answer, spoiled on its way."""
    if fault.kind == "drip":
        truth.seconds_per_byte = fault.seconds or 1.0
        return truth
    if fault.kind == "bare_message":
        return _bare(truth)
    half = Response(truth.status, truth.body[: len(truth.body) // 2])
    if fault.kind == "cut_body":
        half.claimed_length = len(truth.body)
        half.ending = Ending.CLOSE
    return half


def _bare(truth: Response) -> Response:
    result = json.loads(truth.body).get("result")
    identifier = result.get("message_id") if isinstance(result, dict) else None
    return json_response(200, {"ok": True, "result": {"message_id": identifier}})
