"""One file of the corpus: its bytes, its contract, and what must become of it. Checked against the kernel's answer.

A second reading in plain Python counts the records of delimited files, so that none is lost however the table was
written.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from sluice.contract.plan import Plan
from sluice.kernel.outcome import Limits
from sluice.project import load_plan
from tests.unit.kernel_case import Case as Answer
from tests.unit.kernel_case import run

Rows = list[tuple[Any, ...]]
ID_NOTE = {"id": "bigint", "note": "string"}
_END = "\x1c"
_FIELD = "\x1f"


@dataclass(frozen=True, kw_only=True)
class Odd:
    """A file that is not as files should be.

    `rows` are the accepted rows, None where `count` says how many there are. `rejects` are pairs of record number and
    rule (of all broken rules), or how many rows are rejected. `refused` begins the reason why the file is refused.
    """

    name: str
    content: bytes
    columns: Mapping[str, str] = field(default_factory=lambda: ID_NOTE)  # name to physical type
    named: Mapping[str, str] = field(default_factory=dict)  # name to physicalName
    options: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ".csv"
    rows: Rows | None = None
    count: int = 0
    rejects: list[tuple[int, str]] | int = field(default_factory=list)
    refused: str = ""
    text: str | None = None  # what an independent reader makes of the bytes; None where nobody else can read them

    @cached_property
    def plan(self) -> Plan:
        """The plan of this file's contract, as a user's project gets it: from a file, tried on no rows."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "odd.odcs.yaml"
            path.write_text(self.contract, encoding="utf-8")
            return load_plan(path)

    @property
    def contract(self) -> str:
        """This file's contract as YAML."""
        properties = [
            {
                "name": name,
                "logicalType": _LOGICAL.get(kind.partition("(")[0], kind),
                "physicalType": kind,
                **({"physicalName": self.named[name]} if name in self.named else {}),
            }
            for name, kind in self.columns.items()
        ]
        custom = [{"property": "sluice", "value": dict(self.options)}] if self.options else []
        table = {"name": "odd", "customProperties": custom, "properties": properties}
        head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "odd", "version": "1.0.0", "status": "active"}
        return yaml.safe_dump({**head, "schema": [table]}, allow_unicode=True)


_LOGICAL = {"bigint": "integer", "decimal": "number", "double": "number"}


def check(odd: Odd, folder: Path, *, limits: Limits | None = None) -> None:
    """Read the file and compare with what must become of it."""
    answer = run(folder, {f"odd/file{odd.suffix}": odd.content}, odd.plan, **({"limits": limits} if limits else {}))
    load = answer.load
    assert load.rows_read == load.rows_accepted + load.rows_rejected + load.rows_superseded
    if odd.refused:
        assert (load.refused or "").startswith(odd.refused), load.refused
        assert load.rows_read == 0
        assert len(answer.rejects("reason")) == 1
        return
    assert load.refused is None
    if odd.rows is not None:
        assert answer.rows(", ".join(odd.columns)) == odd.rows
    assert load.rows_accepted == (len(odd.rows) if odd.rows is not None else odd.count)
    if isinstance(odd.rejects, int):
        assert load.rows_rejected == odd.rejects
    else:
        assert [(row, rule) for row, rule, _ in answer.rejects("row_number, rule, reason")] == odd.rejects
    _numbered_once(answer)
    if odd.text is not None:
        assert load.rows_read == independent_count(odd)


def independent_count(odd: Odd) -> int:
    """How many records a plain reading finds below the header: by the csv module, or lines where it gives up."""
    reading, text = odd.plan.reading, odd.text or ""
    ends = ["\r\n", "\n", "\r"] if reading.record_end == "auto" else [reading.record_end]
    for end in ends:
        text = text.replace(end, _END)
    lines = [line.replace("\r", "").replace("\n", "") for line in text.split(_END)][reading.skip_lines :]
    while lines and not lines[-1]:
        lines.pop()
    lines = lines[: len(lines) - reading.skip_footer] if reading.skip_footer else lines
    if reading.comment:
        lines = [line for line in lines if not line.startswith(reading.comment)]
    header = reading.header_lines if reading.header else 0
    try:
        whole = "\n".join(lines).replace(reading.delimiter, _FIELD)
        style: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if not reading.quote else {"quotechar": reading.quote}
        if reading.escape not in {reading.quote, ""}:
            style |= {"escapechar": reading.escape, "doublequote": False}
        found = csv.reader(io.StringIO(whole, newline=""), delimiter=_FIELD, strict=True, **style)
        return sum(1 for record in found if record) - header
    except csv.Error:
        return sum(1 for line in lines if line) - header


def _numbered_once(answer: Answer) -> None:
    """Every record is somewhere, and nowhere twice; every reject has a reason."""
    data, rejects = (
        [str(file.path) for file in answer.outcome.files if file.kind == kind] for kind in ("data", "rejects")
    )
    parts = ["SELECT 0::BIGINT AS row WHERE false"]
    parts += [f"SELECT _sluice_row FROM read_parquet({data})"] if data else []
    parts += [f"SELECT row_number FROM read_parquet({rejects}) WHERE ordinal = 1 AND reason <> ''"] if rejects else []
    found = duckdb.execute(
        f"SELECT count(*), count(DISTINCT row), min(row), max(row) FROM ({' UNION ALL '.join(parts)})"
    )
    read = answer.load.rows_read
    assert found.fetchone() == ((read, read, 1, read) if read else (0, 0, None, None))
