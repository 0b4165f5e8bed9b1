"""`python -m sandbox`: a sandbox of its own, until Ctrl-C or SIGTERM."""

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

from sandbox.limits import Rates
from sandbox.server import DEFAULT_TOKEN, DEFAULT_USERNAME, NotLoopback, Server, Settings


def main() -> int:
    """Runs until told to stop; 0 when that went well, 2 when it could not start."""
    settings, until_stdin_closes = _arguments()
    try:
        return asyncio.run(_serve(settings, until_stdin_closes=until_stdin_closes))
    except NotLoopback as error:
        sys.stderr.write(f"sandbox: {error}\n")
    except sqlite3.DatabaseError as error:
        sys.stderr.write(f"sandbox: cannot use {settings.data}: {error}; choose another --data\n")
    except OSError as error:
        sys.stderr.write(
            f"sandbox: cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "choose another --port\n"
        )
    return 2


async def _serve(settings: Settings, *, until_stdin_closes: bool) -> int:
    server = Server(settings)
    await server.start()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    if until_stdin_closes:
        asyncio.get_running_loop().add_reader(sys.stdin, _stop_at_the_end, stopped)
    _say(f"sandbox: http://{settings.host}:{server.port}/")
    if server.control_port is not None:
        _say(f"sandbox control: http://{settings.host}:{server.control_port}/")
    await stopped.wait()
    await server.stop()
    return 0


def _stop_at_the_end(stopped: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stopped.set()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> tuple[Settings, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A stand-in for Telegram, with a chat page at /."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081, help="0 takes a free one")
    parser.add_argument(
        "--control-port", type=int, help="a second door that stays open during outages"
    )
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the only token that is answered")
    parser.add_argument("--username", default=DEFAULT_USERNAME, help="the bot's @name")
    parser.add_argument("--data", type=Path, help="keep people and messages in this file")
    parser.add_argument("--no-limits", action="store_true", help="no flood limits")
    parser.add_argument(
        "--any-host", action="store_true", help="serve more than this machine (no passwords!)"
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that began it"
    )
    given = parser.parse_args()
    if not given.token.partition(":")[0].isdecimal():
        parser.error("a token looks like 424242:letters")
    settings = Settings(
        host=given.host,
        port=given.port,
        control_port=given.control_port,
        token=given.token,
        username=given.username,
        data=given.data,
        rates=Rates(enforced=not given.no_limits),
        any_host=given.any_host,
    )
    return settings, given.until_stdin_closes


if __name__ == "__main__":
    sys.exit(main())
