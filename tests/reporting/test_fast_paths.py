"""The fast paths of the reports say the same as the expressions that they spare."""

from __future__ import annotations

import json

from scheduler.reporting import json_output, terminal

EVERY = [chr(code) for code in (*range(0x3000), *range(0xD700, 0x10200), *range(0xDFF00, 0xE1100))]


def test_a_text_is_escaped_alike_with_and_without_the_fast_path() -> None:
    texts = [*EVERY, "spring/teaser/alpha", "##[command]", "a\x1b[31m", "teaser ##["]
    slow = [terminal._HIDDEN.sub(terminal._escape, text) for text in texts]
    assert list(map(terminal.visible, texts)) == slow


def test_a_document_is_escaped_alike_with_and_without_the_fast_path() -> None:
    for text in (*EVERY, "spring/teaser/alpha", "a\x7fb"):
        document = json.dumps(text, ensure_ascii=text.isascii()).encode("utf-8", "surrogatepass")
        if "\ud800" <= text <= "\udfff":
            continue  # no document holds half a character: `encodable` writes it as an escape before
        assert json_output.safe(document) == json_output._HIDDEN.sub(json_output._escape, document), text
