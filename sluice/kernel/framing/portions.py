"""A large text file as several of whole lines, one a thread, so that they are read side by side and still numbered.

DuckDB's reader numbers nothing, and a window that does lets one thread read. Where each record is a line, a portion's
first record has the number of the line that it begins with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.kernel.framing.text import Text

LEAST = 1 << 26  # bytes of a file that is worth it
_WIDE = 1 << 14  # bytes of the average line
_COPIED = 1 << 20


@dataclass(frozen=True)
class Portion:
    """A file, and how many lines stand before its first one."""

    path: Path
    lines_before: int = 0


def portions(text: Text, folder: Path, *, threads: int) -> list[Portion]:
    """Copy the file into portions below `folder`. One thread gets none: it reads the file itself.

    So it does where lines are wide: DuckDB takes 2,048 records at a time, and those of several threads may not fit.
    """
    if text.size < LEAST or threads == 1 or text.size > text.lines * _WIDE:
        return []
    wanted = min(threads, len(text.marks))
    chosen = [text.marks[number * len(text.marks) // wanted] for number in range(wanted)]
    cuts: list[tuple[int, int]] = []
    found: list[Portion] = []
    folder.mkdir(parents=True, exist_ok=True)
    with text.path.open("rb") as file:
        for offset, lines in chosen:
            file.seek(offset)
            skipped = len(file.readline()) if offset else 0
            cuts.append((offset + skipped, lines + bool(offset)))
        ends = [offset for offset, _ in cuts[1:]] + [text.size]
        for number, ((offset, lines), end) in enumerate(zip(cuts, ends, strict=True)):
            portion = Portion(folder / f"portion-{number}", lines)
            file.seek(offset)
            with portion.path.open("wb") as out:
                left = end - offset
                while left > 0 and (block := file.read(min(_COPIED, left))):
                    out.write(block)
                    left -= len(block)
            found.append(portion)
    return found
