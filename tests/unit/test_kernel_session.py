"""A statement that got out of hand reads and writes nothing beyond the task's own folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from sluice.kernel.outcome import Limits
from sluice.kernel.session import session

ESCAPES = {
    "read another file": "SELECT * FROM read_text('{secret}')",
    "read it as a table": "SELECT * FROM '{secret}'",
    "climb out of the folder": "SELECT * FROM read_text('{scratch}/../secret.csv')",
    "write another file": "COPY (SELECT 1) TO '{secret}'",
    "attach a database": "ATTACH '{secret}.db' AS other",
    "install an extension": "INSTALL httpfs",
    "load an extension": "LOAD httpfs",
    "reach the network": "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "loosen it again": "SET enable_external_access = true",
    "widen the folders": "SET allowed_directories = ['/']",
    "unlock": "SET lock_configuration = false",
    "read the environment": "SELECT getenv('HOME')",
}


_ASK = """
import sys
from pathlib import Path
from sluice.kernel.outcome import Limits
from sluice.kernel.session import session
with session(limits=Limits(memory_bytes=64 << 20, threads=1), scratch=Path(sys.argv[1])) as connection:
    for one in (connection, connection.cursor()):
        print(*one.execute("SELECT epoch(CAST(TIMESTAMP '1970-01-01' AS TIMESTAMPTZ))").fetchone())
"""


def test_every_cursor_is_in_utc_wherever_the_machine_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ASK, str(tmp_path)]
    there = {**os.environ, "TZ": "America/New_York"}
    assert subprocess.run(command, env=there, check=True, capture_output=True, text=True).stdout.split() == ["0.0"] * 2


@pytest.mark.parametrize("statement", ESCAPES.values(), ids=ESCAPES)
def test_statement_cannot_leave_its_folder(tmp_path: Path, statement: str) -> None:
    secret, scratch = tmp_path / "secret.csv", tmp_path / "scratch"
    secret.write_text("a\n1\n")
    limits = Limits(memory_bytes=64 << 20, threads=1)
    with session(limits=limits, scratch=scratch) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(secret=secret, scratch=scratch)).fetchall()
    assert secret.read_text() == "a\n1\n"


def test_statement_may_use_its_folder(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("a\n7\n")
    with session(limits=Limits(memory_bytes=64 << 20, threads=1), scratch=tmp_path) as connection:
        assert connection.execute(f"SELECT a FROM read_csv('{tmp_path}/own.csv')").fetchall() == [(7,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT CAST('canary' AS INTEGER)",
        "SELECT error('canary')",
        "SELECT a FROM read_csv('{folder}/own.csv', columns={{'a': 'INTEGER'}}, auto_detect=false, header=true)",
        "SELECT CAST(1e30 + length('canary') AS DECIMAL(5, 2))",
    ],
)
def test_error_that_leaves_the_session_quotes_no_value(tmp_path: Path, statement: str) -> None:
    (tmp_path / "own.csv").write_text("a\ncanary\n")
    with (
        pytest.raises(duckdb.Error) as raised,
        session(limits=Limits(memory_bytes=64 << 20, threads=1), scratch=tmp_path) as connection,
    ):
        connection.execute(statement.format(folder=tmp_path)).fetchall()
    assert "left out" in str(raised.value)
    assert "canary" not in str(raised.value)
    assert raised.value.__suppress_context__  # nor does the traceback that Lambda prints
