"""One run of one contender in a process of its own: what it cost, and whether its result is the right one."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
_LIMIT = 1800  # seconds that a run may take


@dataclass(frozen=True)
class Cost:
    """CPU is user and system time of the process and those that it waited for; peak is the largest process of them."""

    cpu: float  # seconds
    wall: float  # seconds
    peak: int  # MiB
    size: int  # bytes of Parquet


@dataclass(frozen=True)
class Result:
    """What every contender must agree on."""

    rows: int
    rejected: int
    quantity: str
    price: str
    net_price: str
    ship_days: int


def run(contender: str, source: Path, *, memory_gb: float, folder: Path) -> tuple[Cost, Path]:
    """Run one contender's script on one file; return its cost and the folder with its output."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out = folder / "out"
    command = [sys.executable, HERE / "contenders" / f"{contender}.py", source, out, str(memory_gb)]
    with (folder / "log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment())
        usage = _wait(process, began)
        wall = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"{contender} failed: {(folder / 'log').read_text()[-2000:]}")
    size = sum(file.stat().st_size for file in out.rglob("*.parquet"))
    cost = Cost(cpu=usage.ru_utime + usage.ru_stime, wall=wall, peak=usage.ru_maxrss >> 10, size=size)
    return cost, out


def _environment() -> dict[str, str]:
    """Two threads for those that ask OpenMP; and compiled modules are kept, so that nobody compiles in every run."""
    return {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONDONTWRITEBYTECODE": ""}


def _wait(process: subprocess.Popen[bytes], began: float) -> resource.struct_rusage:
    while True:
        found, status, usage = os.wait4(process.pid, os.WNOHANG)
        if found:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() - began > _LIMIT:
            process.kill()
        time.sleep(0.02)


def result(out: Path) -> Result:
    """Count and add up what a contender wrote."""
    data = [str(file) for file in out.rglob("*.parquet") if "rejects" not in str(file.relative_to(out))]
    data = [file for file in data if "/_dlt" not in file]
    rejects = [str(file) for file in out.rglob("*.parquet") if "rejects" in str(file.relative_to(out))]
    summed = duckdb.execute(
        """SELECT count(*), sum(l_quantity)::DECIMAL(38,2)::VARCHAR, sum(l_extendedprice)::DECIMAL(38,2)::VARCHAR,
            sum(net_price)::DECIMAL(38,4)::VARCHAR, sum(ship_days)::BIGINT
        FROM read_parquet($1, hive_partitioning = false)""",
        [data],
    ).fetchone()
    rows, quantity, price, net_price, days = summed or (0, "", "", "", 0)
    # Sluice has one entry for each broken rule of a record; its first one counts the record.
    names = duckdb.execute("DESCRIBE SELECT * FROM read_parquet($1)", [rejects]).fetchall() if rejects else []
    first = "WHERE ordinal = 1" if any(name == "ordinal" for name, *_ in names) else ""
    counted = (
        duckdb.execute(f"SELECT count(*) FROM read_parquet($1) {first}", [rejects]).fetchone() if rejects else None
    )
    return Result(
        rows=rows,
        rejected=counted[0] if counted else 0,
        quantity=quantity,
        price=price,
        net_price=net_price,
        ship_days=days,
    )
