"""How a file of unknown origin is written: format, encoding, dialect, header. For drafts of contracts only.

What a contract says about reading is never second-guessed; this module is for files that have no contract yet.
"""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import duckdb

from sluice.contract.filetypes import format_of
from sluice.contract.plan import Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.text import prepare
from sluice.kernel.framing.unpack import blocks
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.delimited import read_names
from sluice.kernel.readers.documents import member_names
from sluice.kernel.readers.sheets import sheet_records

_PACKED = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".zip")
_SAMPLE_ROWS = 20_480
_WINDOWS_ONLY = frozenset(range(0x80, 0xA0)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D}
_UTF16_NULS = 0.3  # share of NUL bytes in Western text in UTF-16


def sniff(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, plan: Plan, *, scratch: Path, limits: Limits
) -> tuple[Reading, list[str]]:
    """Tell how `source` is written and how its columns are named. `plan` names the dataset for messages.

    The encoding is `ascii` where other samples may say which one it is. Raises DataError where nothing fits.
    """
    name = source.key.lower()
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    form = format_of(name)
    reading = Reading(format=form, null_texts=(), unknown_columns="ignore", missing_columns="null")
    match form:
        case "csv":
            told, text = _decoded(source, replace(plan, reading=reading), scratch, limits)
            return _dialect(connection, text, told, source, limits)
        case "json":
            told, text = _decoded(source, replace(plan, reading=reading), scratch, limits)
            return told.reading, member_names(text, told, limits, key=source.key)
        case "parquet":
            return reading, _parquet_names(connection, source, plan)
        case "xlsx":
            return reading, sheet_records(source, replace(plan, reading=reading), limits=limits)[0]
        case _:
            assert_never(form)


def _decoded(source: SourceFile, plan: Plan, scratch: Path, limits: Limits) -> tuple[Plan, Path]:
    """Find the encoding; return the plan with it, and the text in UTF-8."""
    told = replace(plan, reading=replace(plan.reading, encoding=_encoding(source, plan, limits)))
    return told, prepare(source, told, scratch=scratch, limits=limits).path


def _encoding(source: SourceFile, plan: Plan, limits: Limits) -> str:
    """The narrowest of the known encodings that the bytes allow, `ascii` among them."""
    head, total, nuls, windows, wide = b"", 0, 0, False, False
    decoder, utf8 = codecs.getincrementaldecoder("utf-8")(), True
    for block in blocks(source, plan, limits):
        head = head or block[:4]
        total, nuls = total + len(block), nuls + block.count(b"\0")
        if utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                utf8 = False
        wide = wide or not block.isascii()
        windows = windows or not _WINDOWS_ONLY.isdisjoint(block)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or nuls > _UTF16_NULS * max(total, 1):
        return "utf-16"
    if utf8:
        return "utf-8" if wide else "ascii"
    return "windows-1252" if windows else "latin-1"


def _dialect(
    connection: duckdb.DuckDBPyConnection, path: Path, plan: Plan, source: SourceFile, limits: Limits
) -> tuple[Reading, list[str]]:
    query = f"""
    SELECT Delimiter, Quote, Escape, SkipRows, HasHeader, len(Columns)
    FROM sniff_csv($path, sample_size = {_SAMPLE_ROWS})"""
    try:
        row = connection.execute(query, {"path": str(path)}).fetchone()
    except duckdb.Error:  # it quotes the text
        row = None
    if row is None:
        raise DataError(
            "expected delimited text, found no dialect that fits: write the contract by hand",
            dataset=plan.dataset, rule="file.format", object_key=source.key,
        )  # fmt: skip
    delimiter, quote, escape = ("" if part in {"(empty)", "\0"} else part for part in row[:3])
    quote = quote or '"'
    reading = replace(
        plan.reading, delimiter=delimiter or ",", quote=quote, escape=escape or quote, skip_lines=int(row[3]),
        header=bool(row[4]),
    )  # fmt: skip
    if not reading.header:
        return reading, [f"column_{number}" for number in range(1, int(row[5]) + 1)]
    return reading, read_names(path, replace(plan, reading=reading), limits, key=source.key)


def _parquet_names(connection: duckdb.DuckDBPyConnection, source: SourceFile, plan: Plan) -> list[str]:
    try:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(source.path)})
    except duckdb.Error as error:
        raise DataError(
            "expected a Parquet file, got something else or a part of one",
            dataset=plan.dataset, rule="file.format", object_key=source.key,
        ) from error  # fmt: skip
    return [str(name) for name, *_ in described.fetchall()]
