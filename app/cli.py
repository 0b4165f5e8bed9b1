"""Commands for the people who run the server: `flask --app wsgi COMMAND`."""

from flask import Flask


def register(app: Flask) -> None:
    """Adds the commands to `app`."""
