"""Every setting: its name, its default, what it means; and the refusal of bad values.

The environment is read once, here, into one frozen `Settings`; nothing else reads `os.environ`.
This is not the place for values that nobody would change: those are constants beside their use.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError
from marshmallow import fields as read
from marshmallow.validate import OneOf, Range

DIALECT_NAMES = ("message_sender", "djangobot", "factoryapp", "jwt_message", "telegram_task")
SAMPLE_SECRETS = ("change", "secret", "example", "sample", "insecure", "0123456789", "abcdefgh")
SECRET_MIN_LENGTH = 32
SECRET_MIN_CHARACTERS = 10


class BadSetting(Exception):
    """One setting has a value that cannot work; the message names it in one line."""


class _Duration(read.Integer):
    """Whole seconds: `90`, `90s`, `15m`, `24h`, `7d`."""

    _units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(value).strip())
        if not match or int(match[1]) == 0:
            raise ValidationError("Not a duration such as 90s, 15m, 24h or 7d.")
        return int(match[1]) * self._units[match[2]]


class _Url(read.String):
    """http(s)://host[:port][/path], as a browser's Origin writes it and without a slash at the end:
    in lower case, without the scheme's own port, international names in ASCII."""

    _ports = {"http": 80, "https": 443}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        url = str(value).strip().rstrip("/")
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode()
            port = "" if parts.port in (None, self._ports.get(parts.scheme)) else f":{parts.port}"
        except ValueError:
            raise ValidationError("Not an http:// or https:// URL.") from None
        if not url:
            return ""
        if parts.scheme not in self._ports or not host or "@" in parts.netloc:
            raise ValidationError("Not an http:// or https:// URL.")
        if parts.query or parts.fragment:
            raise ValidationError("A URL without ? and # is needed.")
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{host}{port}{parts.path}"


class _Postgres(read.String):
    """A PostgreSQL URL; SQLAlchemy 2.1 would take the plain schemes for psycopg 3."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        match = re.fullmatch(r"postgres(?:ql)?(?:\+psycopg2)?://(.+)", str(value).strip())
        if not match:
            raise ValidationError("Not a postgresql:// URL.")
        return f"postgresql+psycopg2://{match[1]}"


class _Redis(read.String):
    """A Redis URL; Celery calls a Unix socket `redis+socket://`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        url = re.sub(r"^unix://", "redis+socket://", str(value).strip())
        if not re.match(r"(rediss?|redis\+socket)://", url):
            raise ValidationError("Not a redis://, rediss:// or unix:// URL.")
        return url


class _Dialects(read.Field[tuple[str, ...]]):
    """`all`, `none`, or names with commas."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        if value in ("all", "none"):
            return DIALECT_NAMES if value == "all" else ()
        names = tuple(name.strip() for name in str(value).split(","))
        if unknown := [name for name in names if name not in DIALECT_NAMES]:
            raise ValidationError(
                f"No dialect {unknown[0]!r}; there are {', '.join(DIALECT_NAMES)}."
            )
        return names


def _setting(meaning: str, default: str | None, reader: read.Field[Any] | None = None) -> Any:
    """A field of `Settings`. `default` is as it would stand in the environment; None: required."""
    reader = reader or read.String()
    return field(metadata={"meaning": meaning, "default": default, "reader": reader})


def _count(least: int, most: int = 10**9) -> read.Integer:
    return read.Integer(validate=Range(min=least, max=most))


def _rate() -> read.Float:
    return read.Float(validate=Range(min=0, min_inclusive=False, max=1e6))


def _port() -> read.Integer:
    return read.Integer(validate=Range(min=1, max=65535))


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """All settings of one process; in the environment their names are in capitals.

    It has no repr: secrets are among them.
    """

    database_url: str = _setting(
        "PostgreSQL 18: postgresql://user:password@host/name", None, _Postgres()
    )
    redis_url: str = _setting("Redis or Valkey: redis://, rediss:// or unix://", None, _Redis())
    telegram_bot_token: str = _setting("the bot's token, from @BotFather", "")
    telegram_api_url: str = _setting(
        "the Bot API server", "https://api.telegram.org", _Url(validate=lambda url: bool(url))
    )
    telegram_proxy: str = _setting("proxy to Telegram: http://, https:// or socks5://", "")
    secret_key: str = _setting("signs sessions and derives tokens: 32 random characters", None)
    public_url: str = _setting(
        "where people reach this server; https makes cookies Secure", "", _Url()
    )
    host: str = _setting("the address that web listens on", "127.0.0.1")
    port: int = _setting("the port that web listens on", "8000", _port())
    sandbox_port: int = _setting(
        "the port of the sandbox that stands in for Telegram", "8081", _port()
    )
    flower_port: int = _setting("the port of Flower", "5555", _port())
    flower_basic_auth: str = _setting("user:password for Flower", "")
    data_dir: Path = _setting("where generated secrets, metrics and embedded servers live", "./var")
    telegram_chat_rate: float = _setting("messages a second to one chat", "1", _rate())
    telegram_bot_rate: float = _setting("messages a second by the whole bot", "30", _rate())
    message_ttl: int = _setting(
        "how long a message may wait: 90s, 15m, 24h, 7d",
        "24h",
        _Duration(validate=Range(max=366 * 86400)),
    )
    message_max_length: int = _setting("characters in one message", "20000", _count(1, 100_000))
    messages_per_day: int = _setting("messages an account may send in a day", "10000", _count(1))
    retention_days: int = _setting("days that finished messages are kept", "365", _count(1, 36500))
    registrations_per_hour: int = _setting(
        "accounts made from one network in an hour", "60", _count(1)
    )
    registration: str = _setting(
        "who may register: open or closed", "open", read.String(validate=OneOf(("open", "closed")))
    )
    user_directory: str = _setting(
        "who may list the users: members or admins",
        "members",
        read.String(validate=OneOf(("members", "admins"))),
    )
    dialects: tuple[str, ...] = _setting("all, none, or names with commas", "all", _Dialects())
    password_min_length: int = _setting("characters in a password, at least", "8", _count(8, 128))
    trusted_proxies: int = _setting("how many proxies stand in front of web", "0", _count(0, 10))
    log_format: str = _setting(
        "how logs are written: text or json", "text", read.String(validate=OneOf(("text", "json")))
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir))

    @property
    def base_url(self) -> str:
        """PUBLIC_URL, or where web listens; without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def https(self) -> bool:
        """Whether people reach this server by https: decides Secure, HSTS and cookie prefixes."""
        return self.base_url.startswith("https://")

    def key(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose, derived from SECRET_KEY: no two uses share one."""
        return hmac.digest(self.secret_key.encode(), f"gonets/{purpose}".encode(), hashlib.sha256)


SETTINGS: tuple[Field[Any], ...] = dataclass_fields(Settings)


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads every setting from the process's environment, or from `environ`.

    `NAME_FILE` may name a file that holds the value; an empty value is an absent one. Raises
    `BadSetting`, one line that names the setting.
    """
    source = os.environ if environ is None else environ
    settings = Settings(**{f.name: _read(source, f) for f in SETTINGS})
    _refuse_weak_secret(settings.secret_key)
    return settings


def _read(environ: Mapping[str, str], setting: Field[Any]) -> Any:
    name, meta = setting.name.upper(), setting.metadata
    value = environ.get(name) or _from_file(environ, name) or meta["default"]
    if value is None:
        raise BadSetting(f"{name}: is not set; it is {meta['meaning']}")
    try:
        return meta["reader"].deserialize(value)
    except ValidationError as error:
        raise BadSetting(f"{name}: {' '.join(map(str, error.messages))}") from None


def _from_file(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{name}_FILE: {path} is not UTF-8 text") from None


def _refuse_weak_secret(secret: str) -> None:
    is_sample = any(word in secret.lower() for word in SAMPLE_SECRETS)
    if is_sample or len(secret) < SECRET_MIN_LENGTH or len(set(secret)) < SECRET_MIN_CHARACTERS:
        raise BadSetting(
            "SECRET_KEY: needs 32 random characters or more and no sample value; make one with "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def for_flask(settings: Settings) -> dict[str, Any]:
    """What Flask and its extensions want to hear of the settings, in their own words."""
    return {
        "SETTINGS": settings,
        "SECRET_KEY": settings.key("flask"),
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _ENGINE,
        "CELERY": {**_CELERY, "broker_url": settings.redis_url},
        "JWT_SECRET_KEY": settings.key("jwt"),
        "JWT_ALGORITHM": "HS256",
        "JWT_ENCODE_ISSUER": "gonets",
        "JWT_DECODE_ISSUER": "gonets",
        "JWT_ENCODE_AUDIENCE": "gonets",
        "JWT_DECODE_AUDIENCE": "gonets",
    }


MAX_BODY_BYTES = 256 * 1024

# A database that is away is noticed within 5 s, whatever way it is away.
_ENGINE = {
    "pool_size": 20,
    "max_overflow": 10,
    "pool_timeout": 3,
    # The connection used last is used next: it has its statements prepared and its memory warm.
    "pool_use_lifo": True,
    # What a statement is given - texts, hashes - must not stand in an exception's words.
    "hide_parameters": True,
    "connect_args": {
        "connect_timeout": 3,
        "tcp_user_timeout": 4000,
        # A host that vanished is noticed by an idle connection, before somebody needs it.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "application_name": "gonets",
        # What is prepared (`app.prepared`) is planned once: PostgreSQL takes a LIMIT and an array
        # that it does not know for large ones, and would plan anew each time it knows better.
        "options": "-c timezone=UTC -c plan_cache_mode=force_generic_plan"
        " -c statement_timeout=4500 -c lock_timeout=4000"
        " -c idle_in_transaction_session_timeout=10000",
    },
}

# The broker is a bell: short timeouts, no result, nothing kept, JSON only. Redelivery of a wake-up
# is harmless, so tasks are acknowledged early; ETA, countdown and retry() are never used, since a
# Redis broker runs those twice once the visibility timeout has passed.
_CELERY = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        "max_retries": 0,
        "socket_connect_timeout": 0.3,
        "socket_timeout": 0.3,
        "visibility_timeout": 120,
    },
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_ignore_result": True,
    "task_acks_late": False,
    "task_publish_retry": False,
    "task_default_queue": "gonets",
    # Sending is waiting; and a fork would take threads and connections along.
    "worker_pool": "threads",
    "worker_concurrency": 12,
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_send_task_events": True,
    "timezone": "UTC",
    "include": ["app.delivery.tasks"],
}
