"""What the demo sends, in which order, and what must become of it. Nothing is checked here (see `proof.py`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice.cli.demo import source, trouble
from sluice.cli.exits import CommandError, Exit
from sluice.ledger.model import load_id

if TYPE_CHECKING:
    from sluice.cli.target import Target
    from sluice.ledger.table import Ledger
    from sluice.local.cloud import LocalCloud

WRONG_MONTH, TOLD_TWICE, SPOILT_MONTH = 2, 3, 6
PICTURE_KEY = "flights/2013-summary.csv"
_WAIT_SECONDS = 600.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One uploaded object version. `records` is what the sender put in; None where it holds no records at all."""

    dataset: str
    key: str
    version_id: str
    records: int | None


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Everything that was sent, and what was wrong with it."""

    deliveries: tuple[Delivery, ...]
    year: bytes
    # By record number in the spoilt month.
    planted: Mapping[int, trouble.Corruption] = field(default_factory=dict)


def month_key(month: int) -> str:
    """Return the key of one month of flights."""
    return f"flights/2013-{month:02d}.csv"


def play(cloud: LocalCloud, target: Target, *, progress: Callable[[str], None]) -> Sent:
    """Send everything, trouble included, and wait until the pipeline is quiet."""
    s3, raw_bucket = cloud.client("s3"), target.raw_bucket
    deliveries: list[Delivery] = []

    def send(key: str, content: bytes, *, holds_records: bool = True) -> Delivery:
        version = str(s3.put_object(Bucket=raw_bucket, Key=key, Body=content)["VersionId"])
        records = len(content.splitlines()) - 1 if holds_records else None
        dataset = key.partition("/")[0]
        deliveries.append(Delivery(dataset=dataset, key=key, version_id=version, records=records))
        return deliveries[-1]

    year = source.year_of_flights()
    months = source.months(year)
    spoilt = trouble.plant(months[SPOILT_MONTH])
    contents = {month: b"".join(lines) for month, lines in months.items()}
    first = contents | {WRONG_MONTH: trouble.in_kilometres(months[WRONG_MONTH]), SPOILT_MONTH: spoilt.content}

    progress("Sending the year in one file, the largest first")
    send("flights_year/2013.csv", year)
    for dataset in source.REFERENCE:
        send(f"{dataset}/{dataset}.csv", source.reference_file(dataset).read_bytes())
    progress("Sending twelve months of flights, and a picture among them")
    monthly = {month: send(month_key(month), content) for month, content in first.items()}
    send(PICTURE_KEY, trouble.picture(), holds_records=False)
    progress("Delivering the event of one month a second time")
    cloud.duplicate_event(bucket=raw_bucket, key=month_key(TOLD_TWICE))
    wrong = load_id(raw_bucket, month_key(WRONG_MONTH), monthly[WRONG_MONTH].version_id)
    _wait_for_load(cloud, target.ledger(), wrong, progress)
    progress("February is in its table: sending its correction")
    send(month_key(WRONG_MONTH), contents[WRONG_MONTH])
    try:
        cloud.wait_until_quiet(_WAIT_SECONDS, lambda activity: progress(f"The pipeline works: {activity}"))
    except TimeoutError as error:
        raise _late(str(error)) from error
    return Sent(deliveries=tuple(deliveries), year=year, planted=spoilt.rows)


def _wait_for_load(cloud: LocalCloud, ledger: Ledger, load: str, progress: Callable[[str], None]) -> None:
    """Wait until one load of flights is settled. Spark may still be at work on the year."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while (found := ledger.find("flights", load)) is None or found.state == "PENDING":
        if time.monotonic() > deadline:
            raise _late(f"after {_WAIT_SECONDS:.0f} s still under way: {cloud.activity()}")
        progress(f"The pipeline works: {cloud.activity()}")
        time.sleep(_LOOK_SECONDS)


def _late(what: str) -> CommandError:
    return CommandError(
        f"The pipeline did not come to rest: {what}.",
        how="Try again on a less busy machine; if it happens again, report it.",
        code=Exit.INFRASTRUCTURE,
    )
