"""An append-only file of JSON lines. A process that is killed leaves whole lines, so every prefix is a state that was.

Each line is written by one call before the caller of the AWS gets its answer. A last line cut off, as a dying machine
leaves it, is cut away when the file is read.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

FORMAT = 1

Entry = Mapping[str, Any]


class StateError(Exception):
    """The state on disk cannot be read: `how` has the remedy."""

    def __init__(self, what: str, *, how: str) -> None:
        self.what, self.how = what, how
        super().__init__(f"{what} {how}")


class Journal:
    """One file, open for appending. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        if self._size == 0:
            self.append({"format": FORMAT})

    def append(self, entry: Entry) -> None:
        """Write one line. Raises OSError, with nothing of it written, where the disk is full."""
        line = _line(entry)
        with self._lock:
            if os.write(self._file, line) < len(line):
                os.ftruncate(self._file, self._size)
                raise OSError("the disk of the offline AWS is full")
            self._size += len(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a journal, oldest first; none where there is no file. A line that was cut off is removed.

    Raises:
        StateError: a newer Sluice has written it, or it is damaged.
    """
    if not path.exists():
        return
    whole = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise StateError(
                    f"{path} is damaged in line {number + 1}.",
                    how="Begin anew with `sluice up --fresh`, which deletes all tables of the offline AWS.",
                ) from error
            if number == 0:
                _check(path, entry)
            else:
                yield entry
            whole += len(line)
    if whole < path.stat().st_size:
        os.truncate(path, whole)


def rewrite(path: Path, entries: Iterable[Entry]) -> None:
    """Replace a journal by a shorter one, at once: a process killed meanwhile leaves the old one."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(_line({"format": FORMAT}))
        file.writelines(map(_line, entries))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _check(path: Path, first: Entry) -> None:
    written = first.get("format")
    if not isinstance(written, int) or written > FORMAT:
        raise StateError(
            f"{path} has format {written}, and this Sluice reads formats up to {FORMAT}.",
            how="Install the newer Sluice that wrote it, or begin anew with `sluice up --fresh`.",
        )


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
