"""The scripts of examples/: plain curl, and a person who does in Telegram what they ask for."""

import re
import subprocess
from pathlib import Path

from app.config import DIALECT_NAMES
from sandbox.client import Sandbox, User
from tests.running import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
SENT = {
    "message_sender": "Sania, я получил от тебя сообщение:\nqwe123",
    "djangobot": "Fedor, я получил от тебя сообщение:\nsome and again text",
    "factoryapp": "желаемое_имя_пользователя, я получил от тебя сообщение:\nтекст_вашего_сообщения",
    "jwt_message": "some_name, я получил от тебя сообщение:\nsome_text",
    "telegram_task": "anna, я получил от тебя сообщение:\nsome text",
}


def follow(script: Path, url: str, user: User) -> str:
    """Runs a script as a person at a terminal who has Telegram open; what it printed."""
    with subprocess.Popen(
        ["sh", str(script), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdin is not None and shell.stdout is not None
        printed = ""
        for line in shell.stdout:
            printed += line
            if "to the bot" in line:
                shell.stdin.write(do_as_told(line, user) + "\n")
                shell.stdin.flush()
    assert shell.returncode == 0, printed
    return printed


def do_as_told(line: str, user: User) -> str:
    if token := re.search(r"\b[0-9a-f]{64}\b", line):
        if "/start" in line:
            user.says("/start")
            user.hears()
        user.says(token[0])
        user.hears()
        return ""
    user.says("привет")
    code = re.search(r"^[2-9A-HJ-NP-Z]{8}$", user.hears().text, re.M)
    assert code is not None
    return code[0]


# What each script prints last: a history with the message, or a refusal after logging out.
LAST_LINE = {"jwt_message": r"{.*} 401"}


def test_every_dialect_gets_from_nothing_to_a_message_with_curl_alone(
    running: Running, sandbox: Sandbox
) -> None:
    url = running.web(workers=1).url
    running.bot()
    running.worker()
    for name in DIALECT_NAMES:
        user = sandbox.user(name, language_code="ru")
        printed = follow(EXAMPLES / f"{name}.sh", url, user).splitlines()
        assert user.hears("я получил от тебя").text == SENT[name]
        text = re.escape(SENT[name].splitlines()[1])
        assert re.fullmatch(LAST_LINE.get(name, f".*{text}.*"), printed[-1]), printed
