"""Commands for the people who run the server: `flask --app wsgi COMMAND` (`./dev flask COMMAND`).

A face like the others: it reads arguments, makes one call to a service, writes a line.
"""

import sys
from datetime import timedelta

import click
from flask import Flask
from flask.cli import with_appcontext

from app import clock
from app.errors import ServiceError
from app.extensions import db, settings
from app.services import accounts, operations, retention
from app.services.accounts import Registration
from app.services.people import Visitor

BY_COMMAND = Visitor(network="command line")


def register(app: Flask) -> None:
    """Adds the commands to `app`, and what `flask db` needs when a command is being run: Alembic
    has no place in a server's memory."""
    if click.get_current_context(silent=True):
        from flask_migrate import Migrate

        Migrate(app, db)
    for command in (create_admin, set_password, prune, pause, resume):
        app.cli.add_command(command)


@click.command()
@click.argument("username")
@click.option("--name", help="What greetings call them; the username by default.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_appcontext
def create_admin(username: str, name: str | None, password_stdin: bool) -> None:
    """Make an account that may enter /admin."""
    registration = Registration(username, _password(password_stdin), name)
    try:
        person = accounts.register(registration, BY_COMMAND, is_admin=True)
    except ServiceError as error:
        raise _refusal(error) from None
    site = settings().base_url
    click.echo(f"{person.username} is an admin now: sign in at {site}/cabinet, then {site}/admin")


@click.command()
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_appcontext
def set_password(username: str, password_stdin: bool) -> None:
    """Set an account's password; all its sessions end."""
    try:
        person = accounts.find(username)
        accounts.set_password(person, _password(password_stdin), BY_COMMAND)
    except ServiceError as error:
        raise _refusal(error) from None
    click.echo(f"{person.username} has a new password; all sessions have ended.")


@click.command()
@click.option("--days", type=click.IntRange(min=1), help="RETENTION_DAYS by default.")
@with_appcontext
def prune(days: int | None) -> None:
    """Remove finished messages older than this many days, and what else has expired."""
    before = clock.now() - timedelta(days=days or settings().retention_days)
    removed = retention.erase_some() + retention.prune(before)
    click.echo(f"{removed} rows removed.")


@click.command()
@with_appcontext
def pause() -> None:
    """Stop all delivery, in every worker; messages are accepted and wait."""
    operations.pause(BY_COMMAND)
    click.echo("Delivery is paused; `flask resume` lets it go on.")


@click.command()
@with_appcontext
def resume() -> None:
    """Let delivery go on."""
    operations.resume(BY_COMMAND)
    click.echo("Delivery goes on.")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    entered: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return entered


def _refusal(error: ServiceError) -> click.ClickException:
    reasons = [f"{field}: {' '.join(why)}" for field, why in error.fields.items()]
    return click.ClickException("; ".join(reasons) or error.detail)
