"""PostgreSQL and Valkey for a machine that has neither: found, started, stopped, found again.

    with Servers(Path("var")) as servers:      # durable: what `./dev run` uses
        servers.database_url                   # postgresql+psycopg2://gonets@/gonets?host=/…
        servers.redis_url                      # unix:///…

    with Servers.ephemeral() as servers:       # for tests: no fsync, own folder, gone afterwards
        postgres, valkey = servers.postgres, servers.valkey
        url = postgres.create_database("alice", template="gonets")
        postgres.drop_database("alice")

Both servers have `start()`, `stop()`, `restart()`, `kill()` (SIGKILL), `freeze()`, `thaw()`,
`running` and `pid`; `postgres.stop(immediate=True)` is a crash with a restart that recovers.
`postgres.url(name)` is the URL of any database of the server.

They listen on Unix sockets only, in folders no other user can enter. PostgreSQL knows its clients
by their system user (peer), so there is no password to keep: the user who started it is `gonets`,
the owner of the databases, and may be `postgres`, the superuser. Any other process that connects
(a child, say) must run as that same user.

This package imports nothing of `app`, and is no part of a production installation.
"""

from embedded.errors import EmbeddedError, InUse
from embedded.postgres import Postgres
from embedded.servers import Servers
from embedded.valkey import Valkey

__all__ = ["EmbeddedError", "InUse", "Postgres", "Servers", "Valkey"]
