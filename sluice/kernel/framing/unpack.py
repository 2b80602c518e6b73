"""Compressed objects as bounded streams of bytes. Nothing is decoded here, nothing is written."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, cast

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.outcome import Limits, SourceFile

BLOCK = 1 << 20  # bytes in one read
_FREE_BYTES = 16 << 20  # so much output is fine at any ratio: small repetitive files compress very well
_ZSTD_INPUT = 2048  # bytes: at worst they become 64 MB
_SUFFIXES = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bzip2", ".zip": "zip"}
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


def compression(source: SourceFile, plan: Plan) -> str:
    """`none`, `gzip`, `zstd`, `bzip2` or `zip`: what the contract says, or the suffix of the key under `auto`."""
    if plan.reading.compression != "auto":
        return plan.reading.compression
    name = source.key.lower()
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), "none")


def blocks(source: SourceFile, plan: Plan, limits: Limits) -> Iterator[bytes]:
    """The object's decompressed bytes, block by block.

    Raises DataError `file.compression` for a damaged archive and `file.limit` beyond `max_bytes` or `max_ratio`.
    """

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=source.key)

    kind = compression(source, plan)
    packed = source.path.stat().st_size
    total = 0
    try:
        with _opened(source, kind) as stream:
            while block := stream.read(BLOCK):
                total += len(block)
                if total > limits.max_bytes:
                    raise refuse("file.limit", f"more than {limits.max_bytes} bytes")
                if kind != "none" and total > max(_FREE_BYTES, packed * limits.max_ratio):
                    raise refuse("file.limit", f"decompresses to more than {limits.max_ratio} times its size")
                yield block
    except _MembersError as error:
        raise refuse("file.compression", str(error)) from error
    except _broken_types() as error:
        if kind == "none":
            raise
        raise refuse("file.compression", f"expected {kind}, got a damaged or different file") from error


class _MembersError(Exception):
    """A zip archive that does not hold exactly one file."""


@contextmanager
def _opened(source: SourceFile, kind: str) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        raw = stack.enter_context(source.path.open("rb"))
        if kind == "gzip":
            yield cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=raw)))
        elif kind == "bzip2":
            yield cast("IO[bytes]", stack.enter_context(bz2.BZ2File(raw)))
        elif kind == "zstd":
            yield cast("IO[bytes]", stack.enter_context(_ZstdFrames(raw)))
        elif kind == "zip":
            archive = stack.enter_context(zipfile.ZipFile(raw))
            members = [item for item in archive.infolist() if not item.is_dir() and not _is_litter(item.filename)]
            if len(members) != 1:
                raise _MembersError(f"expected a zip with one member, got {len(members)}")
            yield stack.enter_context(archive.open(members[0]))
        else:
            yield raw


def _is_litter(name: str) -> bool:
    """Whether a member of an archive is what a file manager adds to every folder: nobody sends it as data."""
    *folders, file = name.replace("\\", "/").split("/")
    return "__MACOSX" in folders or file.startswith("._") or file.lower() in _LITTER


class _ZstdFrames(io.RawIOBase):
    """All frames of a zstd stream. One that stops inside a frame is an error, as it is for gzip."""

    def __init__(self, raw: IO[bytes]) -> None:
        import zstandard  # noqa: PLC0415  # only .zst objects need it

        self._raw = raw
        self._frames = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._open = self._frames.decompressobj()
        self._begun = False

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002  # a block is as long as its input makes it
        while True:
            packed = self._open.unused_data if self._open.eof else b""
            if self._open.eof:
                self._open, self._begun = self._frames.decompressobj(), False
            packed = packed or self._raw.read(_ZSTD_INPUT)
            if not packed:
                if self._begun:
                    raise EOFError("the stream ends inside a frame")
                return b""
            self._begun = True
            if data := self._open.decompress(packed):
                return data


def _broken_types() -> tuple[type[BaseException], ...]:
    try:
        import zstandard  # noqa: PLC0415
    except ImportError:
        return _BROKEN
    return (*_BROKEN, zstandard.ZstdError)
