"""Chosen records of an object written out again as they stand in it, under its own header: a file that can be repaired.

The object is the source, not the rejects table: nothing is cut short, and nothing that the contract hides is needed.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import assert_never

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.framing.text import prepare
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.delimited import Record, read_header, records
from sluice.kernel.readers.documents import documents

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")
_HEAD = 1 << 22  # characters in which preamble and header are looked for


def write_records(
    source: SourceFile, plan: Plan, rows: Collection[int], target: Path, *, scratch: Path, limits: Limits
) -> int:
    """Write the records with these numbers, from 1, to `target`, in the contract's own dialect; return how many.

    The file can be loaded under the same contract. Raises DataError where the format is not text, or as reading does.
    """
    reading = plan.reading
    end = "\n" if reading.record_end == "auto" else reading.record_end
    match reading.format:
        case "csv":
            head, found = _delimited(source, plan, scratch=scratch, limits=limits)
            chosen = list(_chosen(found, rows))
        case "json":
            head, text = "", prepare(source, plan, scratch=scratch, limits=limits)
            found = documents(text.path, plan, limits, key=source.key)
            chosen = [" ".join(raw.split("\n")) for raw in _chosen(found, rows)]  # one a line
            if chosen and reading.record_path:
                chosen = [_enveloped(chosen, reading.record_path)]
        case "parquet" | "xlsx":
            raise DataError(
                f"records of a {reading.format} file cannot be repaired as text: repair them at their source",
                dataset=plan.dataset,
                rule="file.format",
                object_key=source.key,
            )
        case _:
            assert_never(reading.format)
    written = head + "".join(raw + end for raw in chosen) + f"-{end}" * reading.skip_footer
    target.write_bytes(_PACK.get(reading.compression, bytes)(written.encode(reading.encoding)))
    return len(chosen)


def _delimited(source: SourceFile, plan: Plan, *, scratch: Path, limits: Limits) -> tuple[str, Iterator[Record]]:
    """Return the lines above the first record, and the records."""
    reading, text = plan.reading, prepare(source, plan, scratch=scratch, limits=limits)
    lines = read_header(text.path, plan, limits, key=source.key)[1] if reading.header else 0
    head = _first_lines(text.path, reading.skip_lines + lines, reading.record_end)
    found = records(text.path, plan, limits, key=source.key, skip_lines=reading.skip_lines)
    return head, islice(found, reading.header_lines if reading.header else 0, None)


def _enveloped(objects: Sequence[str], path: Sequence[str]) -> str:
    """Write the texts of objects as the contract's envelope holds them."""
    text = f"[{', '.join(objects)}]"
    for name in reversed(path):
        text = f"{{{json.dumps(name, ensure_ascii=False)}: {text}}}"
    return text


def _chosen(found: Iterator[Record], rows: Collection[int]) -> Iterator[str]:
    wanted, last = set(rows), max(rows, default=0)
    for number, record in enumerate(islice(found, last), 1):
        if number in wanted:
            yield record.raw


def _first_lines(path: Path, count: int, record_end: str) -> str:
    """The first lines of a file, with their ends as they stand."""
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read(_HEAD)
    if record_end == "auto":
        return "".join(found[0] for found in islice(_LINE.finditer(text), count))
    return "".join(part + record_end for part in text.split(record_end)[:count])


def _zip(data: bytes) -> bytes:
    import io  # noqa: PLC0415  (only a contract that says `compression: zip` needs it)

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("repaired", data)
    return packed.getvalue()


def _zstd(data: bytes) -> bytes:
    import zstandard  # noqa: PLC0415

    return zstandard.compress(data)


# What a contract says of all its files; `auto` goes by the suffix, and a repaired file has none of those.
_PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zip": _zip,
    "zstd": _zstd,
}
