"""How a file of unknown origin is written: format, encoding, dialect, header. For drafts of contracts only.

What a contract says about reading is never second-guessed; this module is for files that have no contract yet.
"""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from sluice.contract.filetypes import format_of
from sluice.contract.plan import Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.text import prepare
from sluice.kernel.framing.unpack import blocks
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.arrow import DamagedError
from sluice.kernel.readers.columnar import parquet_names
from sluice.kernel.readers.dialect import Dialect, vote
from sluice.kernel.readers.documents import member_names
from sluice.kernel.readers.sheets import sheet_records

_PACKED = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".zip")
_HEAD = 1 << 21  # bytes in which the dialect is looked for
_TAIL = 1 << 15
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
    form = format_of(name)
    reading = Reading(format=form, null_texts=(), unknown_columns="ignore", missing_columns="null")
    match form:
        case "csv":
            told, text = _decoded(source, replace(plan, reading=reading), scratch, limits)
            return vote(*_ends(text), told.reading)
        case "json":
            told, text = _decoded(source, replace(plan, reading=reading), scratch, limits)
            return Dialect(reading=told.reading, names=member_names(text, told, limits, key=source.key))
        case "parquet":
            return Dialect(reading=reading, names=_parquet_names(source, plan, limits))
        case "xlsx":
            found, _ = sheet_records(source, replace(plan, reading=reading), limits=limits)
            return Dialect(reading=reading, names=found)
        case _:
            assert_never(form)


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
