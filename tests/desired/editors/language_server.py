"""An editor's side of the language server protocol: one real server over stdio, asked as VS Code asks it.

Every message is read from the stream as it comes; a server that says nothing in time is an error with what it
said before. The cursor in a text of these tests is the sign `‸`.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

CURSOR = "‸"
PATIENCE = 60.0
"""Seconds for one message: it is there in milliseconds, unless the machine is very busy."""
Message = dict[str, Any]


class LanguageServer:
    """A server for the folder `root`, with the settings of a `settings.json`."""

    def __init__(self, command: Sequence[str], root: Path, settings: Mapping[str, Any]) -> None:
        self._root = root
        self._settings = settings
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._unread = b""
        self._last_id = 0
        self._versions: dict[str, int] = {}
        assert self._process.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._ask("initialize", _introduction(root))
        self._send({"method": "initialized", "params": {}})

    def close(self) -> None:
        """End the server as the protocol says."""
        self._ask("shutdown", None)
        self._send({"method": "exit"})
        self._process.communicate(timeout=PATIENCE)
        self._selector.close()

    # --- what an editor does ------------------------------------------------------------------------

    def show(self, file: str, text: str) -> list[Message]:
        """Open a file with this text, or type it there; the diagnostics that come of it."""
        uri = (self._root / file).as_uri()
        version = self._versions[uri] = self._versions.get(uri, 0) + 1
        if version == 1:
            document = {"uri": uri, "languageId": "yaml", "version": version, "text": text}
            self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        else:
            document = {"uri": uri, "version": version}
            changes = {"textDocument": document, "contentChanges": [{"text": text}]}
            self._send({"method": "textDocument/didChange", "params": changes})
        told = self._wait(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri
            )
        )
        found: list[Message] = told["params"]["diagnostics"]
        return found

    def hover(self, file: str, text: str) -> str:
        """What the mouse over the cursor shows, in Markdown."""
        answer = self._at_cursor("textDocument/hover", file, text)
        return "" if answer is None else str(answer["contents"]["value"])

    def complete(self, file: str, text: str) -> dict[str, Message]:
        """What is offered at the cursor, by its label."""
        answer = self._at_cursor("textDocument/completion", file, text)
        return {item["label"]: item for item in answer["items"]}

    def _at_cursor(self, method: str, file: str, text: str) -> Any:
        before, _, after = text.partition(CURSOR)
        self.show(file, before + after)
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        document = {"uri": (self._root / file).as_uri()}
        return self._ask(method, {"textDocument": document, "position": {"line": line, "character": column}})

    # --- the protocol -------------------------------------------------------------------------------

    def _ask(self, method: str, params: Any) -> Any:
        self._last_id += 1
        own = self._last_id
        self._send({"id": own, "method": method, "params": params})
        answer = self._wait(lambda message: message.get("id") == own and "method" not in message)
        assert "error" not in answer, answer
        return answer["result"]

    def _wait(self, is_meant: Callable[[Message], bool]) -> Message:
        """The next message of that kind; questions of the server are answered meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._receive(deadline)
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": self._answer(message)})
            elif is_meant(message):
                return message

    def _answer(self, question: Message) -> Any:
        if question["method"] != "workspace/configuration":
            return None
        return [section(self._settings, item["section"]) for item in question["params"]["items"]]

    def _send(self, message: Message) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self._process.stdin.flush()

    def _receive(self, deadline: float) -> Message:
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            self._read(deadline)
        fields = dict(line.split(": ", 1) for line in self._unread[:end].decode().split("\r\n"))
        size = int(fields["Content-Length"])
        while len(self._unread) < end + 4 + size:
            self._read(deadline)
        content, self._unread = self._unread[end + 4 : end + 4 + size], self._unread[end + 4 + size :]
        message: Message = json.loads(content)
        return message

    def _read(self, deadline: float) -> None:
        assert self._process.stdout is not None
        if not self._selector.select(max(0.0, deadline - time.monotonic())):
            raise TimeoutError(f"the language server said nothing in time; unread: {self._unread!r}")
        some = os.read(self._process.stdout.fileno(), 65_536)
        assert some, "the language server ended"
        self._unread += some


def section(settings: Mapping[str, Any], name: str) -> Any:
    """A section of the settings as VS Code answers it: `yaml.hover` is `hover` of the section `yaml`."""
    if name in settings:
        return settings[name]
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if key.startswith(f"{name}."):
            *above, last = key.removeprefix(f"{name}.").split(".")
            place = found
            for part in above:
                place = place.setdefault(part, {})
            place[last] = value
    return found or None


def _introduction(root: Path) -> Message:
    """Who asks, and what it can show: as much of VS Code as these tests look at."""
    return {
        "processId": os.getpid(),
        "rootUri": root.as_uri(),
        "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
        "capabilities": {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {
                    "completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}
                },
                "publishDiagnostics": {"relatedInformation": True},
            },
        },
    }
