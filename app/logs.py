"""Structured logs: one line an event, as text or JSON, with the ids of request and message.

What must never be in a log is taken out here once more, for every logger of the process: bot
tokens, JWTs, send tokens, credentials, the words of database errors. This is the second net, not
the first: nothing of ours logs a secret or a message's text, but libraries put URLs and statements
into exceptions. Nor can anything that is logged pretend to be a line of its own.
"""

import logging
import logging.config
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import structlog

from app.config import Settings

# telebot's and urllib3's exceptions carry /bot<TOKEN>/sendMessage?text=… ; see Telegram's API.
_SECRETS = re.compile(
    r"\b(?:\d{4,}(?::|%3[Aa])[A-Za-z0-9_-]{20,}"  # a bot token
    r"|bot\d+(?::|%3[Aa])[A-Za-z0-9_-]+"  # the same in a URL
    r"|eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|gz_[A-Za-z0-9_-]{16,}"  # a send token
    r"|[0-9a-f]{64}\b)"  # a link token
    r"|(?<=://)[^/@\s\"']+(?=@)"  # user and password in a URL
    r"|(?<=[?&]text=)[^&\s\"'\\]*"  # a message's text in a URL
    r"|(?<=Basic )[A-Za-z0-9+/=_-]{8,}"  # a name and a password
)
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
# Whose exceptions repeat what they were given.
_TALKATIVE = ("psycopg2", "sqlalchemy")


def redact(text: str) -> str:
    """`text` with everything that looks like one of our secrets replaced."""
    return _SECRETS.sub("[redacted]", text)


class _Lines:
    """What our own loggers write to: stderr, without the standard library's records and handling
    on the way, which took as long as all else that is done for a line. Libraries' lines go through
    `handler`, and one lock sees that all lines stay whole."""

    def __init__(self) -> None:
        self.configure("text")

    def configure(self, log_format: str) -> None:
        self.handler = logging.StreamHandler(sys.stderr)
        self.renderer = _renderer(log_format)

    def write(self, event: structlog.typing.EventDict) -> None:
        # A log that cannot be written must harm nobody: the disk may be full, the reader gone, a
        # value one that cannot be shown.
        with suppress(Exception):
            line = _safe_line(None, "", self.renderer(None, "", event))
            self.handler.acquire()
            try:
                self.handler.stream.write(line + "\n")
            finally:
                self.handler.release()

    info = warning = error = critical = write


def configure(settings: Settings) -> None:
    """Makes every logger of the process, the libraries' too, write redacted lines to stderr."""
    _lines.configure(settings.log_format)
    _redirect_libraries()
    _quieten_libraries()
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda died: _log_uncaught(
        died.exc_type, died.exc_value or died.exc_type(), died.exc_traceback
    )


def _redirect_libraries() -> None:
    handler = _lines.handler
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SAID],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _lines.renderer,
                _safe_line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # A line that cannot be written must not be printed raw instead.
    logging.raiseExceptions = False
    logging.captureWarnings(True)


def _quieten_libraries() -> None:
    # These would write URLs with tokens, or a line for each request, at INFO and below.
    for chatty in ("urllib3", "TeleBot", "werkzeug", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Six lines of plugins at each migration; the number of the signal that ends Flower.
    for chatty in ("alembic.runtime.plugins", "flower.command"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns of each worker that has not answered yet, right after the start.
    logging.getLogger("flower.inspector").setLevel(logging.ERROR)


def get(name: str) -> Any:
    """A logger: `log.info("event", message_id=1)`."""
    return structlog.get_logger().bind(logger=name)


def _renderer(log_format: str) -> structlog.typing.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )


def _unless_disabled(
    _logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """`logging.disable` and the root's level are for ours as well."""
    if not logging.root.isEnabledFor(_LEVELS[method]):
        raise structlog.DropEvent
    return event


def _safe_line(_logger: Any, _name: str, line: Any) -> str:
    """The rendered line without secrets; what follows a line break is indented, so that every line
    at the margin is an event of ours."""
    visible = _CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", redact(str(line)))
    return visible.replace("\n", "\n    ")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("app").critical("uncaught", exc_info=(kind, error, trace))


def _told(exc_info: Any) -> str:
    """A traceback, oldest cause first; of talkative exceptions only their kind."""
    lines = []
    for error in _causes(exc_info[1]):
        lines += traceback.format_tb(error.__traceback__)
        lines.append(f"{_name(error)}: {error}\n" if _is_discreet(error) else f"{_name(error)}\n")
    return "".join(lines).rstrip("\n")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)
    yield from reversed(chain)


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _is_discreet(error: BaseException) -> bool:
    return not type(error).__module__.startswith(_TALKATIVE)


_lines = _Lines()
_SAID: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.ExceptionRenderer(_told),
]

structlog.configure(
    processors=[_unless_disabled, *_SAID, lambda _, __, event: ((event,), {})],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: _lines,
)
