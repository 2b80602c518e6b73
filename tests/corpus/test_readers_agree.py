"""Where DuckDB's reader is used, it gives the records of the careful one: thousands of files, half of them dirty."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sluice.contract.plan import EXTRA, Column, Plan, Reading
from sluice.kernel.framing.tokens import PAIR, STRAY
from sluice.kernel.outcome import Limits
from sluice.kernel.readers.header import REPEATED
from sluice.kernel.readers.read import Attempt, attempts
from sluice.kernel.session import session
from tests.unit.kernel_case import column, plan, source

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

FILES, ROUNDS = 500, 12
LIMITS = Limits(memory_bytes=256 << 20, threads=1)
DELIMITERS = [",", ",", ";", "\t", "|", " ", "||", ", ", "::", "¦", "aab", "\\t", "\x01"]
ENDS = ["auto", "auto", "auto", "\n", "\r\n", "\r", "|\n"]
CELLS = [
    "",
    "a",
    "1",
    "é",
    "x y",
    " a",
    "a ",
    " ",
    "#",
    "aa",
    "b",
    "\\",
    "NA",
    "\u2028",
    "“",
    ":",
    "|",
    "\x1f",
    "0" * 70,
]
DIRT = ["\n", "\r\n", "\r", "\0", " ", "\t", "#", "\\", "'", '"', "^", "a", "aa", ",", "|", ":", "\u00a0", '""', '" "']


def test_fast_reader_gives_the_records_of_the_careful_one(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    with session(limits=LIMITS, scratch=tmp_path / "scratch", directories=[tmp_path]) as connection:
        for seed in range(FILES * ROUNDS):
            compare(random.Random(seed), tmp_path, connection, seen)
    print(dict(seen))
    assert seen["files"] == FILES * ROUNDS
    assert seen["taken"] > FILES * ROUNDS / 10  # or nothing was compared
    assert seen["given up"] > FILES * ROUNDS / 100  # or no dirt was found
    assert all(seen[what] > ROUNDS for what in ("taken after a proof", PAIR, STRAY, REPEATED))


def compare(chance: random.Random, folder: Path, connection: duckdb.DuckDBPyConnection, seen: Counter[str]) -> None:
    reading = dialect(chance)
    path = folder / "file"
    path.write_bytes(written(chance, reading))
    things = three(reading)
    seen["files"] += 1
    given = []
    for attempt in attempts(source(path), things, scratch=folder / "scratch", limits=LIMITS, names=None):
        rows = read(connection, attempt)
        if rows is not None and not attempt.accounts_for(connection, len(rows)):
            rows = None
        if not attempt.last:
            seen["tried"] += 1
            seen["taken" if rows is not None else "given up"] += 1
        given.append(rows)
    assert given[-1] is not None
    seen["taken after a proof"] += len(given) > 2 and given[0] is None and given[1] is not None
    seen.update(fault for _, fault, *_ in given[-1] if fault in {PAIR, STRAY, REPEATED})
    for rows in given[:-1]:
        assert rows in (None, given[-1]), f"{reading} {path.read_bytes()!r}"


def read(connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> list[tuple[Any, ...]] | None:
    """Row numbers, faults and cells; None where the reader cannot go on. Cells of a faulty record are nothing."""
    found = attempt.records
    cells = [f"CASE WHEN _sluice_fault IS NULL THEN {cell} END" for _, cell in sorted(found.cells.items())]
    query = f"SELECT _sluice_row, _sluice_fault, {', '.join(cells)} FROM ({found.sql}) ORDER BY _sluice_row"
    try:
        return connection.execute(query, dict(found.parameters)).fetchall()
    except duckdb.InvalidInputException:
        return None


def three(reading: Reading) -> Plan:
    columns = [column(name, "string") for name in ("one", "two", "three")]
    if reading.unknown_columns == "take":
        columns[-1] = Column(name="three", source=EXTRA, type="string", cast=f'"{EXTRA}"')
    return plan(columns=tuple(columns), rules=(), primary_key=(), reading=reading)


def dialect(chance: random.Random) -> Reading:
    if chance.random() < 0.5:  # what most files are like
        return Reading(
            delimiter=chance.choice([",", ";", "\t", "|"]),
            header=chance.random() < 0.7,
            skip_lines=chance.choice([0, 0, 1]),
            ragged_rows=chance.choice(["reject", "fill"]),
            unknown_columns=chance.choice(["ignore", "take"]),
            stray_quotes=chance.choice(["lone", "text", "reject"]),
        )
    quote = chance.choice(['"', '"', '"', "'", "", "«"])
    delimiter = chance.choice(DELIMITERS)
    escape = chance.choice([quote, quote, quote, "\\", "^", ""])
    return Reading(
        delimiter=delimiter,
        quote=quote,
        escape=quote if escape in delimiter else escape,
        record_end=chance.choice(ENDS),
        header=chance.random() < 0.7,
        header_lines=chance.choice([1, 1, 1, 2]),
        skip_lines=chance.choice([0, 0, 0, 1, 2]),
        skip_footer=chance.choice([0, 0, 0, 1]),
        comment=chance.choice(["", "", "#"]),
        blanks=chance.choice(["keep", "keep", "trim"]),
        ragged_rows=chance.choice(["reject", "reject", "fill"]),
        unknown_columns=chance.choice(["ignore", "take"]),
        stray_quotes=chance.choice(["lone", "text", "reject"]),
    )


def written(chance: random.Random, reading: Reading) -> bytes:
    """A file of the dialect, and in half of the files some dirt; the header always stands."""
    end = chance.choice(["\n", "\r\n"]) if reading.record_end == "auto" else reading.record_end
    names = ["one", "two", "three"]
    heads = [reading.delimiter.join(names)] if reading.header else []
    if reading.header and reading.header_lines == 2:
        heads.append(reading.delimiter.join([""] * 3))
    records = [
        reading.delimiter.join(cell(chance, reading, end) for _ in names) for _ in range(chance.choice([0, 1, 2, 5, 9]))
    ]
    if chance.random() < 0.15:
        quote = reading.quote
        lost = ["x" + quote * chance.choice([1, 1, 2, 3]) + "y", chance.choice(CELLS) + quote, chance.choice(CELLS)]
        chance.shuffle(lost)  # as after a lost delimiter
        joined = [chance.choice(["", "\ufeff"]) + names[0], *names[1:]]
        strange = chance.choice([joined, lost, lost])
        records.insert(chance.randrange(len(records) + 1), reading.delimiter.join(strange))
    body = end.join(records) + chance.choice(["", end, end, end + end])
    if chance.random() < 0.5:
        for _ in range(chance.choice([1, 1, 2, 4])):
            at = chance.randrange(len(body) + 1)
            body = (
                body[:at]
                + chance.choice([*DIRT, reading.delimiter, reading.quote, end])
                + body[at + chance.randrange(2) :]
            )
    lines = ["above"] * reading.skip_lines + heads
    footer = (end if body and not body.endswith(end) else "") + "below" + end if reading.skip_footer else ""
    return ("".join(line + end for line in lines) + body + footer).encode()


def cell(chance: random.Random, reading: Reading, end: str) -> str:
    text = "".join(chance.choice(CELLS) for _ in range(chance.choice([1, 1, 1, 2, 3])))
    quote, escape = reading.quote, reading.escape
    if not quote or chance.random() < 0.6:
        return text
    text += chance.choice(["", "", reading.delimiter, quote, end, "\n"])
    if escape and escape != quote:
        text = text.replace(escape, escape * 2)
    return quote + text.replace(quote, escape + quote) + quote
