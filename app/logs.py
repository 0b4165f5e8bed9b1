"""Structured logs: one line an event, as text or JSON, with the ids of request and message.

What must never be in a log is taken out here once more, for every logger of the process: bot
tokens, JWTs, send tokens, credentials in URLs. This is the second net, not the first: nothing of
ours logs a secret or a message's text, but libraries put URLs into exceptions.
"""

import logging
import logging.config
import re
import sys
from collections.abc import Sequence
from typing import Any

import structlog

from app.config import Settings

# telebot's and urllib3's exceptions carry /bot<TOKEN>/sendMessage?text=… ; see Telegram's API.
_SECRETS = re.compile(
    r"\b\d{4,}:[A-Za-z0-9_-]{20,}"  # a bot token
    r"|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|\bgz_[A-Za-z0-9_-]{16,}"  # a send token
    r"|\b[0-9a-f]{64}\b"  # a link token
    r"|(?<=://)[^/@\s]+(?=@)"  # user and password in a URL
    r"|(?<=[?&]text=)[^&\s]*"  # a message's text in a URL
)


def redact(text: str) -> str:
    """`text` with everything that looks like one of our secrets replaced."""
    return _SECRETS.sub("[redacted]", text)


def _redact_event(_logger: Any, _name: str, event: Any) -> Any:
    return {k: redact(v) if isinstance(v, str) else v for k, v in event.items()}


def configure(settings: Settings) -> None:
    """Makes every logger of the process, the libraries' too, write redacted lines to stderr."""
    shared: Sequence[structlog.typing.Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # These would write URLs with tokens, or a line for each request, at INFO and below.
    for chatty in ("urllib3", "TeleBot", "werkzeug", "celery", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _renderer(log_format: str) -> structlog.typing.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)


def get(name: str) -> Any:
    """A logger: `log.info("event", message_id=1)`."""
    return structlog.stdlib.get_logger(name)
