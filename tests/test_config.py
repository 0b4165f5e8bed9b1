"""Settings: what is read, what is refused, in one line that names the setting."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from app import config
from app.config import BadSetting
from tests.conftest import SECRET_KEY

ROOT = Path(__file__).parents[1]
NEEDED = {
    "DATABASE_URL": "postgresql://user:password@host/name",
    "REDIS_URL": "redis://host",
    "SECRET_KEY": SECRET_KEY,
}


def read(**settings: str) -> config.Settings:
    return config.from_environment(NEEDED | settings)


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_needed_is_asked_for_by_name(name: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name}: is not set"):
        config.from_environment({k: v for k, v in NEEDED.items() if k != name})
    with pytest.raises(BadSetting, match=f"^{name}: is not set"):
        read(**{name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://host/name"),
        ("REDIS_URL", "host:6379"),
        ("PUBLIC_URL", "gonets.example"),
        ("PUBLIC_URL", "ftp://gonets.example"),
        ("PUBLIC_URL", "https://user:password@gonets.example"),
        ("PUBLIC_URL", "https://gonets.example/?q"),
        ("PUBLIC_URL", "https://gonets.example:99999"),
        ("PUBLIC_URL", "https://"),
        ("TELEGRAM_API_URL", "//host"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("TELEGRAM_CHAT_RATE", "0"),
        ("TELEGRAM_BOT_RATE", "nan"),
        ("MESSAGE_TTL", "0"),
        ("MESSAGE_TTL", "1w"),
        ("MESSAGE_TTL", "367d"),
        ("MESSAGE_MAX_LENGTH", "100001"),
        ("RETENTION_DAYS", "-1"),
        ("RETENTION_DAYS", "99999999"),
        ("REGISTRATION", "maybe"),
        ("USER_DIRECTORY", "everybody"),
        ("DIALECTS", "djangobot,unheard_of"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "yes"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name}: ") as refused:
        read(**{name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "sample",
    [
        "change-me",
        "changeme" * 8,
        "please-change-this-to-something-else-now",
        "your-secret-key-of-at-least-32-characters",
        "x" * 64,
        "0123456789abcdef0123456789abcdef",
        "this is an example of a key that is long",
        "short-but-random-k3J9",
        "aAbBcC" * 10,
    ],
)
def test_sample_secrets_are_refused(sample: str) -> None:
    with pytest.raises(BadSetting, match="^SECRET_KEY: ") as refused:
        read(SECRET_KEY=sample)
    assert sample not in str(refused.value)


def test_no_generated_secret_is_taken_for_a_sample() -> None:
    for _ in range(2000):
        read(SECRET_KEY=secrets.token_urlsafe(48))


def test_the_example_file_starts_nothing_as_it_is() -> None:
    example = (ROOT / ".env.example").read_text()
    values = [line.partition("=")[2] for line in example.splitlines() if "SECRET_KEY=" in line]
    for value in values:
        with pytest.raises(BadSetting):
            read(SECRET_KEY=value)


def test_no_part_starts_with_a_sample_secret() -> None:
    sample = "change-me-change-me-change-me-change-me"
    environment = {**NEEDED, "SECRET_KEY": sample, "TELEGRAM_BOT_TOKEN": "1:x", "PATH": "/usr/bin"}
    starting = {
        program: subprocess.Popen(
            [sys.executable, program], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        for program in ("wsgi.py", "bot.py", "worker.py")
    }
    for program, process in starting.items():
        _, said = process.communicate(timeout=30)
        assert process.returncode != 0, program
        assert said.startswith("gonets: SECRET_KEY: "), program
        assert said.count("\n") == 1
        assert sample not in said


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ("https://Gonets.Example/", "https://gonets.example"),
        ("https://gonets.example:443", "https://gonets.example"),
        ("http://gonets.example:80/base/", "http://gonets.example/base"),
        ("https://gonets.example:8443", "https://gonets.example:8443"),
        ("https://пример.рф", "https://xn--e1afmkfd.xn--p1ai"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_public_url_is_read_as_a_browsers_origin_writes_it(given: str, read_as: str) -> None:
    assert read(PUBLIC_URL=given).public_url == read_as


def test_a_value_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET_KEY + "\n")
    assert config.from_environment(
        {**NEEDED, "SECRET_KEY": "", "SECRET_KEY_FILE": str(file)}
    ).secret_key == (SECRET_KEY)
    for wrong in (tmp_path / "missing", tmp_path):
        with pytest.raises(BadSetting, match="^SECRET_KEY_FILE: "):
            config.from_environment({**NEEDED, "SECRET_KEY": "", "SECRET_KEY_FILE": str(wrong)})
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSetting, match="^SECRET_KEY_FILE: "):
        config.from_environment({**NEEDED, "SECRET_KEY": "", "SECRET_KEY_FILE": str(file)})


def test_settings_show_no_secret() -> None:
    assert SECRET_KEY not in repr(read())
    assert "password" not in repr(read())


def test_no_two_purposes_share_a_key() -> None:
    keys = {read().key(purpose) for purpose in ("jwt", "flask", "link-token", "limits")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
