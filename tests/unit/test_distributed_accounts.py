"""What travels between tasks comes together whole, and the sums are held against what was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.contract.plan import Plan
from sluice.distributed.packets import Packet, Report, Slice, receive, refusals, slices, vanished
from sluice.distributed.tasks import BucketResult, Work
from sluice.distributed.transform import accounts
from sluice.errors import TransientError
from sluice.kernel.outcome import Limits, LoadSummary, RejectCount
from sluice.stages.manifest import ClaimedLoad

PLAN = Plan(dataset="things", version="1", mode="append")


def load(load_id: str) -> ClaimedLoad:
    return ClaimedLoad(
        load_id=load_id, key=load_id, version_id="v", kind="put", generation=0, size=1, registered="", attempts=1,
        action="put",
    )  # fmt: skip


def summary(load_id: str, accepted: int, rejected: int = 0, refused: str | None = None) -> LoadSummary:
    rejects = (RejectCount(column="id", rule="type", rows=rejected),) if rejected else ()
    return LoadSummary(
        load_id=load_id, rows_read=accepted + rejected, rows_accepted=accepted, rows_rejected=rejected,
        rows_superseded=0, rejects=rejects, refused=refused,
    )  # fmt: skip


def results(reports: tuple[Report, ...], *buckets: tuple[LoadSummary, ...]) -> list[BucketResult]:
    return [
        BucketResult(files=(), loads=loads, reports=() if bucket else reports) for bucket, loads in enumerate(buckets)
    ]


def test_files_come_together_whatever_the_order_of_their_slices(tmp_path: Path) -> None:
    contents = {"000000-000000.parquet": bytes(range(251)) * 90_000, "000001-000000.parquet": b"x"}
    packets: list[Packet] = [Report(1, "b", rows=1), Report(0, "a", rows=9)]
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        packets += slices(tmp_path / name, load_id=f"load of {name}", name=name)
    assert sum(isinstance(packet, Slice) for packet in packets) > len(contents)
    inbox = receive(reversed(packets), tmp_path / "in")
    assert {path.name: path.read_bytes() for path, _ in inbox.files} == contents
    assert [load_id for _, load_id in inbox.files] == [f"load of {name}" for name in contents]
    assert [report.part for report in inbox.reports] == [0, 1]


def test_the_first_part_that_refuses_speaks_for_the_object() -> None:
    reports = [
        Report(0, "a", rows=5),
        Report(1, "a", refused=("file.encoding", "at 10")),
        Report(2, "a", refused=("file.encoding", "at 90")),
    ]
    assert refusals(reports, PLAN) == {"a": ("file.encoding", "at 10")}


def test_an_object_that_vanished_is_not_refused() -> None:
    reports = [Report(0, "a", refused=("file.columns", "none")), Report(1, "a", vanished=True)]
    assert not refusals(reports, PLAN)
    assert vanished(reports) == {"a"}


def test_accounts_are_the_sums_over_buckets() -> None:
    reports = (Report(0, "a", rows=4), Report(1, "a", rows=3), Report(2, "b", vanished=True))
    gone, (total,) = accounts(
        [load("a"), load("b")], results(reports, (summary("a", 2, 1),), (summary("a", 1, 3),)), PLAN
    )
    assert gone == ("b",)
    assert (total.rows_read, total.rows_accepted, total.rows_rejected) == (7, 3, 4)
    assert total.rejects == (RejectCount(column="id", rule="type", rows=4),)


def test_rows_read_before_a_refusal_do_not_count() -> None:
    reports = (Report(0, "a", rows=4), Report(1, "a", refused=("file.encoding", "at 10")))
    shares = results(reports, (summary("a", 0, refused="file.encoding: at 10"),), (summary("a", 0),))
    _, (total,) = accounts([load("a")], shares, PLAN)
    assert total.refused == "file.encoding: at 10"


def test_a_row_lost_between_tasks_is_an_error() -> None:
    with pytest.raises(TransientError, match="4 rows read, 3 accounted for"):
        accounts([load("a")], results((Report(0, "a", rows=4),), (summary("a", 3),)), PLAN)


def test_a_bucket_that_has_not_heard_of_all_parts_writes_nothing() -> None:
    work = Work(
        claim=None, loads=(), parts=2, buckets=1, connect=None, raw_bucket="", lake_bucket="",  # type: ignore[arg-type]
        reading=Limits(), writing=Limits(),
    )  # fmt: skip
    with pytest.raises(TransientError, match="heard of 1 parts, expected 2"):
        list(work.write(0, [(0, Report(0, "a"))]))
