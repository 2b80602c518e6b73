"""A flipped bit never leaves the kernel as an exception, and never changes a row silently where a checksum exists."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from sluice.contract.plan import Reading
from sluice.kernel.outcome import Limits
from sluice.kernel.transform import transform
from tests.corpus.packed_cases import zipped
from tests.unit.kernel_case import column, plan, source

FLIPS, FEW, SECONDS = 2_000, 4, 20
IDS, AMOUNTS, NOTES = range(1, 41), [Decimal(at * 7) / 4 for at in range(40)], [f"note {at % 9}" for at in range(40)]
TEXT = "id,amount,note\n" + "".join(f"{a},{b},{c}\n" for a, b, c in zip(IDS, AMOUNTS, NOTES, strict=True))


@dataclass(frozen=True)
class File:
    """A small sound file, and what guards its bytes."""

    name: str
    content: bytes
    reading: Reading
    guarded: bool  # whether a checksum covers the values


def parquet(**options: object) -> bytes:
    buffer = io.BytesIO()
    table = pa.table({"id": pa.array(IDS, pa.int64()), "amount": pa.array(AMOUNTS, pa.decimal128(8, 2)), "note": NOTES})
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in [("id", "amount", "note"), *zip(IDS, AMOUNTS, NOTES, strict=True)]:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def lines() -> bytes:
    rows = zip(IDS, AMOUNTS, NOTES, strict=True)
    return "".join(json.dumps({"id": a, "amount": float(b), "note": c}) + "\n" for a, b, c in rows).encode()


CSV, JSON, PARQUET, XLSX = Reading(), Reading(format="json"), Reading(format="parquet"), Reading(format="xlsx")
FILES = [
    *(File(f"parquet {codec}", parquet(compression=codec, write_page_checksum=True), PARQUET, guarded=True)
      for codec in ("none", "snappy", "zstd", "gzip", "lz4", "brotli")),
    File("parquet v2 pages", parquet(data_page_version="2.0", write_page_checksum=True), PARQUET, guarded=True),
    File("parquet without checksums", parquet(compression="none"), PARQUET, guarded=False),
    File("xlsx", workbook(), XLSX, guarded=True),
    File("csv", TEXT.encode(), CSV, guarded=False),
    File("json", lines(), JSON, guarded=False),
    *(File(f"{name} {kind}", pack(body), replace(reading, compression=kind), guarded=True)
      for name, body, reading in (("csv", TEXT.encode(), CSV), ("json", lines(), JSON))
      for kind, pack in (("gzip", gzip.compress), ("bzip2", bz2.compress), ("zip", lambda data: zipped(a=data)),
                         ("zstd", zstandard.ZstdCompressor(write_checksum=True).compress))),
]  # fmt: skip


def flipped(content: bytes, bits: Iterator[int]) -> Iterator[bytes]:
    for bit in bits:
        data = bytearray(content)
        data[bit // 8] ^= 1 << (bit % 8)
        yield bytes(data)


def outcomes(file: File, folder: Path, versions: Iterator[bytes]) -> Counter[str]:
    """Count what becomes of versions of a file: refused, rejects, the same rows, other rows, too slow."""
    things = plan(
        columns=(column("id", "long"), column("amount", "decimal(8,2)"), column("note", "string")),
        rules=(), primary_key=(), reading=file.reading,
    )  # fmt: skip
    seen: Counter[str] = Counter()
    sound = rows_of(file.content, things, folder)
    for content in versions:
        begun = time.monotonic()
        found = rows_of(content, things, folder)
        seen["slow"] += time.monotonic() - begun > SECONDS
        seen["refused" if found is None else "same" if found == sound else "rejects" if found[1] else "other"] += 1
    return seen


def rows_of(content: bytes, things: object, folder: Path) -> tuple[list[object], int] | None:
    """Accepted rows and the number of rejects; None where the file is refused. An exception is what must not be."""
    path = folder / "file"
    path.write_bytes(content)
    outcome = transform(
        [source(path, "things/a")], things, out=folder / "out", scratch=folder / "scratch", run_id="1",  # type: ignore[arg-type]
        limits=Limits(memory_bytes=512 << 20, threads=1),
    )  # fmt: skip
    load, files = outcome.loads[0], [str(each.path) for each in outcome.files if each.kind == "data"]
    query = "SELECT id, amount, note FROM read_parquet($1) ORDER BY _sluice_row"
    rows = duckdb.execute(query, [files]).fetchall() if files else []
    for name in ("out", "scratch"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return None if load.refused else (rows, load.rows_rejected)


@pytest.mark.parametrize("file", [FILES[at] for at in (0, 8, 11, 14, 18)], ids=lambda file: file.name)
def test_a_flipped_bit_is_told(file: File, tmp_path: Path) -> None:
    chance = random.Random(file.name)
    seen = outcomes(file, tmp_path, flipped(file.content, iter(chance.sample(range(8 * len(file.content)), FEW))))
    assert seen.total() - seen["slow"] == FEW
    assert not (file.guarded and seen["other"])


@pytest.mark.proof
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_two_thousand_flipped_bits_are_told(file: File, tmp_path: Path) -> None:
    chance = random.Random(f"many {file.name}")
    bits = iter(chance.choices(range(8 * len(file.content)), k=FLIPS))
    seen = outcomes(file, tmp_path, flipped(file.content, bits))
    print(file.name, dict(seen))
    assert not seen["slow"]
    assert not (file.guarded and seen["other"])


@pytest.mark.proof
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("file", [FILES[0], FILES[8]], ids=lambda file: file.name)
def test_each_byte_of_a_file_is_told_when_it_changes(file: File, tmp_path: Path) -> None:
    versions = (
        file.content[:at] + bytes([file.content[at] ^ 0xFF]) + file.content[at + 1 :] for at in range(len(file.content))
    )
    seen = outcomes(file, tmp_path, versions)
    print(file.name, len(file.content), dict(seen))
    assert not seen["slow"]
    assert not seen["other"]
