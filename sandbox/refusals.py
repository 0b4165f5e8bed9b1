"""How Telegram says no: the code, the words and the machine-readable parameters of a refusal.

The texts are those of the real server (github.com/tdlib/telegram-bot-api, `Client.cpp`): clients
tell refusals apart by them. Nothing here decides when a refusal is due.
"""

from sandbox.http import JsonObject, Response, json_response


class Refusal(Exception):
    """A call that the Bot API answers with `ok: false`."""

    def __init__(self, code: int, description: str, parameters: JsonObject | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters or {}

    def response(self) -> Response:
        """The answer on the wire: the status equals `error_code`, a 429 also has `Retry-After`."""
        body: JsonObject = {
            "ok": False,
            "error_code": self.code,
            "description": self.description,
        }
        headers = {}
        if self.parameters:
            body["parameters"] = self.parameters
        if "retry_after" in self.parameters:
            headers["Retry-After"] = str(self.parameters["retry_after"])
        return json_response(self.code, body, headers)


def bad_request(why: str) -> Refusal:
    """400: this call will never work as it is."""
    return Refusal(400, f"Bad Request: {why}")


def forbidden(why: str) -> Refusal:
    """403: the bot may not write here."""
    return Refusal(403, f"Forbidden: {why}")


def unauthorized() -> Refusal:
    """401: no bot has this token."""
    return Refusal(401, "Unauthorized")


def not_found() -> Refusal:
    """404: no such path."""
    return Refusal(404, "Not Found")


def unknown_method() -> Refusal:
    """404: the path is right, but there is no such method."""
    return Refusal(404, "Not Found: method not found")


def too_many_requests(retry_after: int) -> Refusal:
    """429: wait `retry_after` seconds."""
    return Refusal(
        429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after}
    )


def upgraded(new_chat_id: int) -> Refusal:
    """400: the group lives on under another id."""
    return Refusal(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        {"migrate_to_chat_id": new_chat_id},
    )


def another_poller() -> Refusal:
    """409: a newer `getUpdates` took over; the older one gets this."""
    return Refusal(
        409,
        "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running",
    )


def webhook_is_active() -> Refusal:
    """409: polling and a webhook exclude each other."""
    return Refusal(
        409,
        "Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first",
    )


def ended_by_webhook() -> Refusal:
    """409: a webhook was set while this poll waited."""
    return Refusal(409, "Conflict: terminated by setWebhook request")
