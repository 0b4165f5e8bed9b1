"""The bot's face: what people write to it in Telegram, and what it answers.

`poller` takes raw updates in order, `updates` reads them into values, `handlers` make one service
call for each and give `replies`, which `sender` sends from its own threads. `notices` tell chats
what happened to them elsewhere. `lease` sees that only one process polls.
"""

import signal

from flask import Flask

from app.bot.lease import Lease
from app.bot.notices import Notices
from app.bot.poller import Poller
from app.bot.sender import Sender
from app.config import BadSetting, Settings
from app.stopping import Stopping
from app.telegram import bot_api

# What a stopping process gives to replies under way and to the lease, seconds each.
FAREWELL = 0.5


def run(app: Flask) -> None:
    """Runs the bot until SIGTERM or SIGINT; from the main thread. Raises `BadSetting`."""
    settings: Settings = app.config["SETTINGS"]
    if not settings.telegram_bot_token:
        raise BadSetting("TELEGRAM_BOT_TOKEN: is not set; the bot's token, from @BotFather")
    stop = Stopping()
    api = bot_api(settings)
    lease = Lease(app)
    sender = Sender(app, api, stop)
    poller = Poller(app, api, lease, sender, stop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, poller.interrupt)
    Notices(app, sender, lease, stop)
    poller.run()
    sender.drain(FAREWELL)
    lease.give_back(FAREWELL)
