"""How gunicorn serves `wsgi:app`; it reads this file by itself. Settings come from the environment.

Not the place for the application's own settings: those are in app/config.py.
"""

import gc
import os
from typing import Any

_host = os.environ.get("HOST", "127.0.0.1")

bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PORT', '8000')}"
# psycopg2 blocks the thread it runs in, so threads and not an event loop.
worker_class = "gthread"
workers = 2
threads = 16
# The application is imported once, before the workers are forked: a faster start, shared memory.
preload_app = True
# Below the 8 s that `./dev run` gives its parts, and far below the 45 s of docker-compose.yml.
graceful_timeout = 6
keepalive = 5
# Written to by every worker every second; in memory, so that a slow disk kills none.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
# No door for gunicornc: by default it would be a file in the home folder of whoever starts this.
control_socket_disable = True


def when_ready(_server: Any) -> None:
    """What was imported stays for good: the collector need not look at it, in no worker, and the
    memory that it would touch stays shared."""
    gc.collect()
    gc.freeze()
