"""The benchmark's data: TPC-H lineitem as CSV, and the same with broken rows. Seeded: equal arguments, equal bytes.

    python benchmarks/data.py FOLDER SCALE CASE

Cases: `clean` is what tpchgen-cli writes; `broken` has four kinds of rows that break the contract, 0.2% of the rows
each; `repeated` has rows with the key of an earlier row besides, another 0.2%. That is 1% of five kinds.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import BinaryIO

SEED = 20260601
SHARE = 0.002  # of the rows, for each kind
CASES = ("clean", "broken", "repeated")
_KEY, _QUANTITY, _PRICE, _SHIPPED = 0, 4, 5, 10  # positions of cells; none before the comment is quoted


def lineitem(folder: Path, scale: float, case: str) -> Path:
    """Return the CSV file of one case, made first if it is not there yet."""
    clean = _generate(folder / f"sf{scale:g}", scale)
    if case == "clean":
        return clean
    path = clean.with_name(f"{case}.csv")
    if not path.exists():
        unfinished = path.with_suffix(".part")
        with clean.open("rb") as source, unfinished.open("wb") as target:
            _break(source, target, repeated=case == "repeated")
        unfinished.rename(path)
    return path


def _generate(folder: Path, scale: float) -> Path:
    path = folder / "clean.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        program = Path(sys.executable).with_name("tpchgen-cli")
        command = [program, "csv", "-s", f"{scale:g}", "--tables=lineitem", "-o", folder, "--quiet", "--overwrite"]
        subprocess.run(command, check=True)
        (folder / "lineitem.csv").rename(path)
    return path


def _set(line: bytes, position: int, value: bytes) -> bytes:
    cells = line.split(b",", position + 1)
    cells[position] = value
    return b",".join(cells)


def _bad_date(line: bytes) -> bytes:
    return _set(line, _SHIPPED, line.split(b",", _SHIPPED + 1)[_SHIPPED][:5] + b"13-45")


def _negative_quantity(line: bytes) -> bytes:
    return _set(line, _QUANTITY, b"-" + line.split(b",", _QUANTITY + 1)[_QUANTITY])


def _missing_key(line: bytes) -> bytes:
    return _set(line, _KEY, b"")


def _price_in_words(line: bytes) -> bytes:
    return _set(line, _PRICE, b"n/a")


_KINDS: tuple[Callable[[bytes], bytes], ...] = (_bad_date, _negative_quantity, _missing_key, _price_in_words)


def _break(source: BinaryIO, target: BinaryIO, *, repeated: bool) -> None:
    """Copy the file; spoil chosen lines, and put copies of others, with another quantity, somewhere further down."""
    lines = sum(block.count(b"\n") for block in iter(lambda: source.read(1 << 22), b"")) - 1
    source.seek(0)
    chance = random.Random(SEED)  # noqa: S311  (data, no secret)
    each = round(lines * SHARE)
    chosen = chance.sample(range(1, lines + 1), each * (len(_KINDS) + 2))  # line 0 is the header
    changes = {line: _KINDS[at % len(_KINDS)] for at, line in enumerate(chosen[: each * len(_KINDS)])}
    pairs = zip(chosen[-each:], chosen[-2 * each : -each], strict=True)
    moves = {min(pair): max(pair) for pair in pairs} if repeated else {}
    kept: dict[int, bytes] = {}  # by the line after which it is to stand
    at = 0
    for stop in sorted({*changes, *moves, *moves.values()}):
        target.writelines(islice(source, stop - at))
        line = next(source)
        at = stop + 1
        target.write(changes[stop](line) if stop in changes else line)
        if stop in moves:
            quantity = int(line.split(b",", _QUANTITY + 1)[_QUANTITY])
            kept[moves[stop]] = _set(line, _QUANTITY, b"%d" % (quantity % 50 + 1))
        if stop in kept:
            target.write(kept.pop(stop))
    target.writelines(source)


if __name__ == "__main__":
    sys.stdout.write(f"{lineitem(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])}\n")
