"""Real brokers on loopback, each with a folder and ports of its own, while a test module needs them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE = 60.0
"""Seconds within which whatever is waited for has to come."""
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Absent(Exception):
    """This machine has no such broker."""


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
def redis_server(folder: Path) -> Iterator[str]:
    """A redis-server; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise Absent("redis-server is not installed (apt-get install redis-server)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _served(command, os.environ | {}, folder, port):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def rabbitmq_server(folder: Path) -> Iterator[str]:
    """A RabbitMQ node that only this machine can reach; its URL."""
    if not RABBITMQ.exists():
        raise Absent("RabbitMQ is not installed (apt-get install rabbitmq-server)")
    port, between, names = free_port(), free_port(), free_port()
    (folder / "rabbit.conf").write_text("loopback_users.guest = true\n")
    environ = os.environ | {
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
    try:
        with _served([str(RABBITMQ)], environ, folder, port):
            yield f"amqp://127.0.0.1:{port}//"
    finally:  # the directory of nodes, which Erlang starts beside the first one and leaves running
        subprocess.run(["epmd", "-port", str(names), "-kill"], check=False, capture_output=True)


@contextlib.contextmanager
def _served(command: list[str], environ: dict[str, str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        eventually(lambda: server.poll() is not None or _answers(port), f"{command[0]} answers")
        assert server.poll() is None, (folder / "output").read_text()
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()
