"""How gunicorn shares the work among its processes (gunicorn.conf.py)."""

import runpy
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
from gunicorn.config import Config

from tests.running import ROOT, Part, Running

CONNECTIONS = 16
ROUNDS = 10
_PROBE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def workers(web: Part) -> list[psutil.Process]:
    return psutil.Process(web.process.pid).children()


def shares(web: Part) -> list[int]:
    """How many connections each process holds, the fewest first."""
    return sorted(
        sum(
            each.status == psutil.CONN_ESTABLISHED and each.laddr.port == web.port
            for each in worker.net_connections("tcp")
        )
        for worker in workers(web)
    )


@contextmanager
def connections(web: Part) -> Iterator[None]:
    """Opened all at once, as a proxy does, and kept open; each has been answered."""
    with ExitStack() as opened:
        clients = [opened.enter_context(socket.socket()) for _ in range(CONNECTIONS)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", web.port))
        for client in clients:
            client.settimeout(10)
            client.sendall(_PROBE)
        for client in clients:
            assert b" 200 " in client.recv(4096)
        yield


def rounds_shared_evenly(running: Running, web: Part) -> int:
    even = 0
    for _ in range(ROUNDS):
        with connections(web):
            even += min(shares(web)) >= CONNECTIONS // 2 - 1
        running.wait(web, lambda: sum(shares(web)) == 0)
    return even


def test_connections_that_come_at_once_and_stay_are_shared_evenly(running: Running) -> None:
    web = running.web()
    running.wait(web, lambda: len(workers(web)) == 2)
    assert rounds_shared_evenly(running, web) >= 0.6 * ROUNDS


def test_a_process_that_is_gone_holds_nothing_that_others_would_wait_for() -> None:
    served = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    held = served["_held"]
    workers = [served["worker_class"](n, 0, [], None, 1, Config(), None) for n in (1, 2)]
    assert list(filter(None, held)) == [1, 1]
    served["child_exit"](None, workers[0])
    assert list(filter(None, held)) == [1]
    for worker in workers:
        worker.tmp.close()
