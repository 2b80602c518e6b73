"""Names that strangers choose, in logs and on terminals: they stay text."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from sluice.cli.screen import table, visible
from sluice.stages import logs

HOSTILE = {
    "a line of its own": 'orders/a.csv\n{"level":"ERROR","message":"all is lost"}.csv',
    "a terminal's escape": "orders/\x1b[2J\x1b]0;owned\x07.csv",
    "text turned around": "orders/\u202evsc.exe",
    "nothing to see": "orders/\u200b\u2066\ufeff.csv",
    "a carriage return": "orders/a.csv\rorders/b.csv",
    "the line separator": "orders/a\u2028b\x85c.csv",
}


@pytest.mark.parametrize("key", HOSTILE.values(), ids=HOSTILE)
def test_key_in_a_log_is_one_line_of_ascii(
    key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{hash(key)}")  # a logger keeps the stdout that it first saw
    logger = logs.stage_logger()
    logger.warning("no dataset for this key", extra={"object_key": key})
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.strip("\n").isascii()
    assert said.strip("\n").isprintable()
    assert json.loads(said)["object_key"] == key


@pytest.mark.parametrize("key", HOSTILE.values(), ids=HOSTILE)
def test_cell_on_a_terminal_shows_its_odd_characters_and_obeys_none(key: str) -> None:
    stream = io.StringIO()
    Console(file=stream, force_terminal=False, width=200).print(table("", ["object"], [[key]]))
    shown = stream.getvalue()
    assert all(sign == "\n" or sign.isprintable() for sign in shown)
    assert "\\u" in shown


def test_letters_of_every_alphabet_stay_as_they_are() -> None:
    assert visible("Zürich Ωμέγα 東京 😀") == "Zürich Ωμέγα 東京 😀"
