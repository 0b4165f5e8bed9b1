"""A worker's delivery as a whole: courier, crew and sweep, built, started and stopped together.

Everything that the parts need of the settings is read here.
"""

from functools import cache
from time import monotonic

from flask import Flask

from app import logs, telegram
from app.config import Settings
from app.delivery.budget import Budget
from app.delivery.crew import Crew
from app.delivery.engine import Courier
from app.delivery.sweep import Sweep
from app.extensions import celery, db
from app.stopping import Stopping

# Calls at once in one process. Each is a thread that waits; none of them holds a connection to the
# database meanwhile.
CREW = 24
# Calls are over after 25 seconds, a process that was told to stop is gone within 30.
STOP_SECONDS = 28.0

log = logs.get(__name__)


class Station:
    """The delivery of one process."""

    def __init__(self, app: Flask, crew: int = CREW) -> None:
        settings: Settings = app.config["SETTINGS"]
        with app.app_context():
            database = db.engine
        api = telegram.bot_api(settings)
        self.stopping = Stopping()
        courier = Courier(database, api, settings.telegram_chat_rate, self.stopping)
        budget = Budget(settings.telegram_bot_rate, courier.connect)
        self.crew = Crew(courier, budget, crew, self.stopping)
        self.sweep = Sweep(courier, self.crew, api, self.stopping)

    def start(self) -> None:
        """Begins to deliver; needs neither the broker nor the database to be there yet."""
        self.sweep.start()

    def stop(self) -> None:
        """Takes no more turns. Those under way go on; `join` waits for them. May be called by a
        signal handler, and again."""
        if not self.stopping.is_set():
            self._until = monotonic() + STOP_SECONDS
            self.stopping.tell()

    def join(self) -> None:
        """Waits for the turns under way, until 28 seconds after `stop` at most."""
        self.stop()
        if not self.crew.join(max(0.0, self._until - monotonic())):
            log.error("stopped while calls were under way")


@cache
def station() -> Station:
    """The one of this process."""
    return Station(celery.flask_app)
