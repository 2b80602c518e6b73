"""Reads each hostile file in a process of its own, and says how long that took and how much memory.

A line of JSON for each, on stdout. Processes are forked from one that has imported everything and made the file.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.corpus.case import Odd, check
from tests.corpus.hostile_cases import CASES


def main(names: list[str]) -> None:
    """Measure the cases of these names, or all."""
    for case in CASES:
        if not names or case.name in names:
            print(json.dumps(measured(case.odd)), flush=True)


def measured(odd: Odd) -> dict[str, object]:
    """Name, seconds of wall and of CPU, MiB at most, and what went wrong, if anything."""
    with TemporaryDirectory(prefix="sluice-hostile-") as folder:
        gc.collect()
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            _read(odd, Path(folder))
        _, status, usage = os.wait4(child, 0)
        wall = time.monotonic() - begun
        told = Path(folder) / "wrong"
        wrong = told.read_text() if told.exists() else "" if status == 0 else f"status {status}"
    cpu = usage.ru_utime + usage.ru_stime
    return {"name": odd.name, "wall": wall, "cpu": cpu, "mib": usage.ru_maxrss / 1024, "wrong": wrong}


def _read(odd: Odd, folder: Path) -> None:
    """Read the file and leave the process."""
    try:
        check(odd, folder)
    except BaseException:  # noqa: BLE001  # whatever it is, the parent must know
        (folder / "wrong").write_text(traceback.format_exc()[-2000:])
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
