"""Real brokers on loopback, each with a folder and ports of its own, for as long as tests need them.

Where the environment says BROKERS=required, as CI does, a broker that is absent fails its tests, which
would else be skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest

PATIENCE = 60.0
"""Seconds within which whatever is waited for has to come."""
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
ROOT = os.environ.get("RABBITMQ_ROOT", "")
"""A folder with another system, whose RabbitMQ is used (by chroot, as root): CI has the versions of two."""


class Absent(Exception):
    """This machine has no such broker."""


def do_without(why: str) -> NoReturn:
    """Skip what needs something that this machine lacks; fail where it has to be there."""
    if os.environ.get("BROKERS") == "required":
        pytest.fail(f"BROKERS=required, but {why}")
    pytest.skip(why, allow_module_level=True)


def need_extra(package: str, extra: str) -> None:
    """Go on only where an optional package is installed."""
    if importlib.util.find_spec(package) is None:
        do_without(f"the extra `{extra}` is not installed")


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail after a while, naming it."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def shared(engine: str, folder: Path) -> Iterator[str]:
    """One server of an engine for all processes of a test session, which know it by `folder`; its URL.

    The first that wants it starts it, the last that leaves stops it.
    """
    server, start = folder / engine, {"redis": start_redis, "rabbitmq": start_rabbitmq}[engine]
    server.mkdir(exist_ok=True)
    with _book(server) as book:
        if not book["users"]:
            book["url"], book["process"] = start(server)
        book["users"] += 1
        url: str = book["url"]
    try:
        yield url
    finally:
        with _book(server) as book:
            book["users"] -= 1
            if not book["users"]:
                stop(server, book["process"])


@contextlib.contextmanager
def _book(folder: Path) -> Iterator[dict[str, Any]]:
    """Who uses a server; one process at a time may read and write that."""
    with (folder / "book").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        book = json.loads(file.read() or '{"users": 0}')
        yield book
        file.truncate(0)
        file.write(json.dumps(book))


@contextlib.contextmanager
def redis_server(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """A redis-server for one test; its URL."""
    folder.mkdir(exist_ok=True)
    url, process = start_redis(folder, *options, port=port)
    try:
        yield url
    finally:
        stop(folder, process)


def start_redis(folder: Path, *options: str, port: int | None = None) -> tuple[str, int]:
    """Start a redis-server; its URL and its process."""
    program = shutil.which("redis-server")
    if program is None:
        raise Absent("redis-server is not installed (apt-get install redis-server)")
    port = port or free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return f"redis://127.0.0.1:{port}/0", _started([*command, *options], os.environ | {}, folder, port)


def start_rabbitmq(folder: Path) -> tuple[str, int]:
    """Start a RabbitMQ node that only this machine can reach; its URL and its process."""
    outside = folder
    if not Path(f"{ROOT}{RABBITMQ}").exists():
        raise Absent("RabbitMQ is not installed (apt-get install rabbitmq-server)")
    port, between, names = free_port(), free_port(), free_port()
    command, usual = [str(RABBITMQ)], os.environ | {}
    if ROOT:  # its folder is inside
        if not Path(f"{ROOT}/proc/self").exists():
            subprocess.run(["mount", "-t", "proc", "proc", f"{ROOT}/proc"], check=True)
        inside = Path(f"{ROOT}/var/lib/test{port}")
        inside.mkdir()
        (folder / "inside").symlink_to(inside)
        folder, command = Path(f"/var/lib/test{port}"), ["chroot", ROOT, str(RABBITMQ)]
        usual = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    Path(f"{ROOT}{folder}/rabbit.conf").write_text("loopback_users.guest = true\n")
    Path(f"{ROOT}{folder}/plugins").write_text("[].\n")
    environ = usual | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(between),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbit"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    (outside / "names").write_text(str(names))
    (outside / "control").write_text(json.dumps([environ, command[:-1]]))
    return f"amqp://127.0.0.1:{port}//", _started(command, environ, outside, port)


def _started(command: list[str], environ: dict[str, str], folder: Path, port: int) -> int:
    """Start a server, a group of processes of its own; its number, once it answers."""
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        eventually(lambda: server.poll() is not None or _answers(port), f"{command[0]} answers")
        assert server.poll() is None, (folder / "output").read_text()
    except BaseException:
        stop(folder, server.pid)
        raise
    _CHILDREN[server.pid] = server
    return server.pid


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def stop(folder: Path, process: int) -> None:
    """Stop a server, whoever of this session started it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGTERM)
        eventually(lambda: not _is_alive(process), f"the server {process} ends")
    if (names := folder / "names").exists():  # Erlang starts its directory of nodes, and leaves it running
        enter = json.loads((folder / "control").read_text())[1]
        subprocess.run(
            [*enter, "epmd", "-port", names.read_text(), "-kill"], check=False, capture_output=True
        )
    if (inside := folder / "inside").is_symlink():
        shutil.rmtree(inside.resolve())


def rabbitmqctl(folder: Path, *words: str) -> str:
    """What its own control program says to a command."""
    environ, enter = json.loads((folder / "control").read_text())
    command = [*enter, str(RABBITMQ.with_name("rabbitmqctl")), "-q", *words]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout


def _is_alive(process: int) -> bool:
    """Whether a server runs; one that has ended is buried, where it is a child of this process."""
    child = _CHILDREN.get(process)
    if child is not None:
        return child.poll() is None
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # the process that started it is gone, or busy, and buries it later


class Wire:
    """A way to a server that can be cut and mended, as a broker that is down and comes back."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url).port or 0
        self.port = free_port()
        self.url = url.replace(f":{self._target}", f":{self.port}")
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._turn = threading.Lock()
        self.mend()

    def mend(self) -> None:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        with self._turn:
            ends = self._open if self._listener is None else [self._listener, *self._open]
            self._listener, self._open = None, []
            for end in ends:
                with end, contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    close = cut

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = listener.accept()
                outer = socket.create_connection(("127.0.0.1", self._target))
                with self._turn:
                    if self._listener is not listener:  # cut meanwhile
                        inner.close()
                        outer.close()
                        return
                    self._open += [inner, outer]
                for one, other in ((inner, outer), (outer, inner)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := one.recv(65_536):
                other.sendall(content)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
