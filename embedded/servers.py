"""PostgreSQL and Valkey together, as `./dev run` and the tests want them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from embedded.place import make_data_dir
from embedded.postgres import Postgres
from embedded.valkey import Valkey


class Servers:
    """Both servers with their data in one folder; as a context manager, started and stopped.

    Args:
        data_dir: made if it is missing.
        durable: False trades the data of a machine that loses power for speed.

    Raises:
        EmbeddedError: the folder cannot be used.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        make_data_dir(data_dir)
        self.postgres = Postgres(data_dir, durable=durable)
        self.valkey = Valkey(data_dir, durable=durable)

    @classmethod
    @contextmanager
    def ephemeral(cls) -> Iterator["Servers"]:
        """Both servers in a folder of their own that is removed at the end: for tests."""
        folder = Path(tempfile.mkdtemp(prefix="gonets-", dir="/tmp"))
        if os.geteuid() == 0:
            folder.chmod(0o711)
        try:
            with cls(folder, durable=False) as servers:
                yield servers
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def database_url(self) -> str:
        return self.postgres.url()

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    def start(self) -> Self:
        """Start both at once and wait until they serve.

        Raises:
            EmbeddedError: one cannot be started; then none runs.
        """
        try:
            self.valkey.launch()
            self.postgres.launch()
            self.postgres.await_ready()
            self.valkey.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop both."""
        self.postgres.stop()
        self.valkey.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()
