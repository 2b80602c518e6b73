"""Records written out to be repaired stand there as they stood in the object, and load under the same contract."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.contract.plan import Column, Plan, Reading
from sluice.errors import DataError
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.excerpt import write_records
from sluice.kernel.transform import transform

PLAN = Plan(
    dataset="items",
    version="1",
    mode="append",
    columns=(
        Column(name="id", source="id", type="int", cast='TRY_CAST("id" AS INTEGER)', required=True, expected="int"),
        Column(name="text", source="text", type="string", cast='"text"'),
    ),
)


def repairable(tmp_path: Path, content: bytes, rows: list[int], key: str = "items/a.csv", **reading: Any) -> bytes:
    (tmp_path / "object").write_bytes(content)
    source = SourceFile(path=tmp_path / "object", load_id="l", key=key, version_id="v", order="")
    plan = replace(PLAN, reading=replace(PLAN.reading, **reading))
    target = tmp_path / "repaired"
    count = write_records(source, plan, rows, target, scratch=tmp_path / "scratch", limits=Limits())
    assert count == len(rows)
    again = SourceFile(path=target, load_id="m", key="items/repaired.csv", version_id="v", order="")
    outcome = transform([again], plan, out=tmp_path / "out", scratch=tmp_path / "spill", run_id="r")
    assert (outcome.loads[0].refused, outcome.loads[0].rows_read) == (None, len(rows))
    return target.read_bytes()


@pytest.mark.parametrize(
    ("content", "rows", "written", "reading"),
    [
        (b"id,text\n1,a\nx,b\n2,c\ny,d\n", [2, 4], b"id,text\nx,b\ny,d\n", {}),
        (b'text,id\r\n"a\r\nb",x\r\nc,1\r\n', [1], b'text,id\r\n"a\r\nb",x\n', {}),
        (b"made by A\nid;text\nx;1\n2;b\ntotal 2\n", [1], b"made by A\nid;text\nx;1\n-\n",
         {"delimiter": ";", "skip_lines": 1, "skip_footer": 1}),
        (b"x,b\n2,c\n", [1], b"x,b\n", {"header": False}),
        ("id,text\nx,ü\n".encode("latin-1"), [1], "id,text\nx,ü\n".encode("latin-1"), {"encoding": "latin-1"}),
        (b'{"id":1}\n{"id":"x","text":"b"}\n', [2], b'{"id":"x","text":"b"}\n', {"format": "json"}),
        (b'[{"id":1},\n{"id":"x",\n"text":"b"}]', [2], b'{"id":"x", "text":"b"}\n', {"format": "json"}),
        (b"id,text\n1,a,b\n", [1], b"id,text\n1,a,b\n", {}),
    ],
)  # fmt: skip
def test_records_stand_as_they_stood(
    tmp_path: Path, content: bytes, rows: list[int], written: bytes, reading: dict[str, Any]
) -> None:
    assert repairable(tmp_path, content, rows, **reading) == written


def test_a_compressed_object_becomes_a_plain_file_unless_the_contract_says_otherwise(tmp_path: Path) -> None:
    packed = gzip.compress(b"id,text\nx,b\n")
    assert repairable(tmp_path, packed, [1], key="items/a.csv.gz") == b"id,text\nx,b\n"


def test_a_contract_of_compressed_files_gets_one(tmp_path: Path) -> None:
    packed = gzip.compress(b"id,text\nx,b\n")
    assert gzip.decompress(repairable(tmp_path, packed, [1], compression="gzip")) == b"id,text\nx,b\n"


def test_what_is_no_text_is_refused_with_the_way_out(tmp_path: Path) -> None:
    source = SourceFile(path=tmp_path / "none", load_id="l", key="items/a.parquet", version_id="v", order="")
    plan = replace(PLAN, reading=Reading(format="parquet"))
    with pytest.raises(DataError, match="repair them at their source"):
        write_records(source, plan, [1], tmp_path / "repaired", scratch=tmp_path, limits=Limits())
