"""The bot: `python bot.py`, a standalone poller; a second one waits, it never fights."""

import sys

from app import bot, create_app
from app.config import BadSetting

if __name__ == "__main__":
    try:
        bot.run(create_app(serves=False))
    except BadSetting as error:
        sys.exit(f"gonets: {error}")
