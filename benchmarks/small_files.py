"""Ten thousand files of a kilobyte at once: what becomes of them, in how many runs and files, by which calls, at what
price. `python -m benchmarks.small_files [--files 10000] [--json]` runs it against the offline AWS.

Seconds are of this machine and of moto; runs, commits, data files and calls are what a deployment would show, except
that events come as fast here as moto takes uploads.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest import mock

from sluice.cli.offline import synthesize
from sluice.cli.target import Target
from sluice.prices import dollars

if TYPE_CHECKING:
    from sluice.local.cloud import LocalCloud

DATASET, MONTHS = "flights", 12
HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,"
    "dest,air_time,distance,hour,minute,time_hour\n"
)
ROWS = 9  # which make a kilobyte
_UPLOADS = 8  # at a time


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run of the benchmark saw. Seconds are wall clock, from the first upload until all is quiet."""

    files: int
    rows: int
    bytes: int
    seconds: float
    loaded: int
    runs: int
    snapshots: int
    data_files: int
    calls: dict[str, int]
    dollars: dict[str, float]
    largest_payload: int  # characters of the longest input or output of an execution


def measure(cloud: LocalCloud, files: int, *, progress: Callable[[str], None] = lambda _: None) -> Result:
    """Upload so many objects of one dataset and wait until they are loaded."""
    with mock.patch.dict(os.environ, cloud.environment()):
        target = Target.from_environment(os.environ)
        s3, begun = target.client("s3"), time.monotonic()

        def put(number: int) -> int:
            body = text(number).encode()
            s3.put_object(Bucket=target.raw_bucket, Key=f"{DATASET}/2013/{number:06d}.csv", Body=body)
            return len(body)

        with ThreadPoolExecutor(_UPLOADS) as pool:
            sizes = list(pool.map(put, range(files)))
        progress(f"{files} files are uploaded after {time.monotonic() - begun:.0f} s")
        for _ in range(2):
            cloud.wait_until_quiet(3600, lambda activity: progress(f"under way: {activity}"))
            cloud.tick("reconcile")  # as every quarter of an hour
        cloud.wait_until_quiet(3600)
        seconds = time.monotonic() - begun
        states = Counter(load.state for load in target.ledger().loads(DATASET))
        table = target.catalog().load_table((target.database, DATASET))
        tasks = list(table.scan().plan_files())
        work = cloud.work()
    executions = [one for one in cloud.executions() if one.name.startswith(f"{DATASET}-")]
    return Result(
        files=files,
        rows=sum(task.file.record_count for task in tasks),
        bytes=sum(sizes),
        seconds=round(seconds, 1),
        loaded=states["DONE"],
        runs=len(executions),
        snapshots=len(table.snapshots()),
        data_files=len(tasks),
        calls=dict(Counter(work.calls).most_common()),
        dollars={name: round(value, 4) for name, value in dollars(work).items() if value},
        largest_payload=max(len(json.dumps([one.input, one.output], default=str)) for one in executions),
    )


def text(number: int) -> str:
    """Return the file of this number: a header and nine departures of a day."""
    return HEADER + "".join(_departures(number))


def _departures(number: int) -> Iterator[str]:
    month, day = number % MONTHS + 1, number // MONTHS % 28 + 1
    flight = number % 9999 + 1  # the contract allows no larger one
    for hour in range(5, 5 + ROWS):
        yield (
            f"2013,{month},{day},{hour}17,{hour}15,2,1830,1819,11,UA,{flight},N14228,EWR,IAH,227,1400,{hour},15,"
            f"2013-{month:02}-{day:02}T{hour + 5:02}:00:00Z\n"
        )


def report(found: Result) -> str:
    """Describe a result for people."""
    calls = "\n".join(f"  {count:>8,}  {name}" for name, count in found.calls.items())
    cost = "\n".join(f"  ${value:.4f}  {name}" for name, value in found.dollars.items())
    return (
        f"{found.files:,} files, {found.bytes:,} bytes, {found.rows:,} rows in {found.seconds} s\n"
        f"{found.loaded:,} loaded in {found.runs} runs, {found.snapshots} snapshots, {found.data_files} data files; "
        f"longest payload {found.largest_payload:,} characters\n"
        f"calls\n{calls}\nestimated dollars, ${sum(found.dollars.values()):.4f} in all\n{cost}"
    )


def main() -> int:
    """Run it. Answers 1 if a file was not loaded or a row is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    from sluice.local.cloud import LocalCloud  # noqa: PLC0415  (moto)

    def progress(words: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr)

    with TemporaryDirectory(prefix="sluice-bench-") as folder:
        synthesize(Path.cwd(), Path(folder), context={})
        with LocalCloud(Path(folder)) as cloud:
            found = measure(cloud, asked.files, progress=_seldom(progress))
    print(json.dumps(asdict(found)) if asked.json else report(found))
    return int(found.loaded != found.files or found.rows != ROWS * found.files)


def _seldom(say: Callable[[str], None], seconds: float = 10.0) -> Callable[[str], None]:
    last = [0.0]

    def told(words: str) -> None:
        if time.monotonic() - last[0] > seconds:
            last[0] = time.monotonic()
            say(words)

    return told


if __name__ == "__main__":
    sys.exit(main())
