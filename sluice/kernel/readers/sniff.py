"""How a file of unknown origin is written: format, encoding, dialect, header. For drafts of contracts only.

What a contract says about reading is never second-guessed; this module is for files that have no contract yet.
"""

from __future__ import annotations

import codecs
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import assert_never

from sluice.contract.filetypes import format_of
from sluice.contract.plan import Format, Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.magic import foreign_type
from sluice.kernel.framing.text import prepare
from sluice.kernel.framing.unpack import blocks, compression
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.arrow import DamagedError
from sluice.kernel.readers.columnar import parquet_names
from sluice.kernel.readers.dialect import Dialect, vote
from sluice.kernel.readers.documents import find_record_path, member_names
from sluice.kernel.readers.sheets import sheet_records

_PACKED = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".zip")
_HEAD = 1 << 21  # bytes in which the dialect is looked for
_TAIL = 1 << 15
_CONTROLS = [chr(code) for code in (*range(1, 9), *range(14, 27), 127)]  # characters that no text has
_BINARY = 100  # one of them in so many characters is no text
_TITLES = 12  # rows of a sheet above its header
_ROWS = 200  # rows of a sheet that tell whether a row is their header
_UNDEFINED = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})  # bytes that are nothing in Windows-1252
_UTF16_NULS = 0.3  # share of NUL bytes in Western text in UTF-16


def sniff(source: SourceFile, plan: Plan, *, scratch: Path, limits: Limits) -> Dialect:
    """Tell how `source` is written, how its columns are named, and what a person should know of the choice.

    `plan` names the dataset for messages.
    The encoding is `ascii` where other samples may say which one it is. Raises DataError where nothing fits.
    """
    name = source.key.lower()
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    form = _format(source, name)
    if found := foreign_type(source.path, form, compression(source, plan)):
        raise DataError(
            f"expected a file of data, got {found}",
            dataset=plan.dataset, rule="file.format", object_key=source.key,
        )  # fmt: skip
    reading = Reading(format=form, null_texts=(), unknown_columns="ignore", missing_columns="null")
    match form:
        case "csv":
            told, text = _decoded(source, replace(plan, reading=reading), scratch, limits)
            head, tail = _ends(text)
            if sum(head.count(mark) for mark in _CONTROLS) > len(head) / _BINARY:
                raise DataError(
                    "expected text, got bytes that are none: is it encrypted, or a format of some program?",
                    dataset=plan.dataset, rule="file.format", object_key=source.key,
                )  # fmt: skip
            return vote(head, tail, told.reading)
        case "json":
            told, text = _decoded(source, replace(plan, reading=reading), scratch, limits)
            inside = find_record_path(text)
            told = replace(told, reading=replace(told.reading, record_path=inside))
            findings = (
                [f"the file is one object that holds the records: recordPath {'.'.join(inside)}"] if inside else []
            )
            names = member_names(text, told, limits, key=source.key)
            return Dialect(reading=told.reading, names=names, findings=findings)
        case "parquet":
            return Dialect(reading=reading, names=_parquet_names(source, plan, limits))
        case "xlsx":
            return _sheet(source, replace(plan, reading=reading), limits)
        case _:
            assert_never(form)


def _format(source: SourceFile, name: str) -> Format:
    """The format by the first bytes; by the suffix of the name where they say nothing."""
    with source.path.open("rb") as file:
        head = file.read(1 << 12)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in head:
        return "xlsx"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json" if start.startswith((b'{"', b'[{"', b"[\n", b"{\n")) else format_of(name)


def _sheet(source: SourceFile, plan: Plan, limits: Limits) -> Dialect:
    """Find the header of a sheet: the first row below which most rows have no more cells than it."""
    for above in range(_TITLES):
        reading = replace(plan.reading, skip_lines=above)
        try:
            names, records = sheet_records(source, replace(plan, reading=reading), limits=limits)
        except DataError:
            if above == 0:
                raise
            break
        widths = [len(record.cells) for record in islice(records, _ROWS)]
        if len(names) > 1 and widths.count(len(names)) > len(widths) / 2:
            findings = [f"{above} rows above the table: skipLines"] if above else []
            return Dialect(reading=reading, names=names, findings=findings)
    return Dialect(reading=plan.reading, names=sheet_records(source, plan, limits=limits)[0])


def _decoded(source: SourceFile, plan: Plan, scratch: Path, limits: Limits) -> tuple[Plan, Path]:
    """Find the encoding; return the plan with it, and the text in UTF-8."""
    told = replace(plan, reading=replace(plan.reading, encoding=_encoding(source, plan, limits)))
    return told, prepare(source, told, scratch=scratch, limits=limits).path


def _encoding(source: SourceFile, plan: Plan, limits: Limits) -> str:
    """The narrowest of the known encodings that the bytes allow, `ascii` among them."""
    head, total, nuls, undefined, wide = b"", 0, 0, False, False
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
        undefined = undefined or not _UNDEFINED.isdisjoint(block)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or nuls > _UTF16_NULS * max(total, 1):
        return "utf-16"
    if utf8:
        return "utf-8" if wide else "ascii"
    return "latin-1" if undefined else "windows-1252"


def _ends(path: Path) -> tuple[str, str]:
    """The beginning and the end of a text file, each in whole lines."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if size > len(head):
        head = head[: head.rfind(b"\n") + 1] or head
    if size > len(tail):
        tail = tail[tail.find(b"\n") + 1 :]
    return head.decode(errors="replace"), tail.decode(errors="replace")


def _parquet_names(source: SourceFile, plan: Plan, limits: Limits) -> list[str]:
    try:
        return parquet_names(source.path, limits)
    except DamagedError as error:
        raise DataError(
            "expected a Parquet file, got something else or a part of one",
            dataset=plan.dataset, rule="file.format", object_key=source.key,
        ) from error  # fmt: skip
