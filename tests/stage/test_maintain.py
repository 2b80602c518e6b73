"""Maintenance against moto: it changes no row, and each of its guards is there for a way to lose or double some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import LongType, NestedField

from sluice.errors import StaleRunError
from sluice.kernel.layout import compact as kernel
from sluice.lake import compaction, orphans
from sluice.lake.expiry import expired
from sluice.locations import data_folder_of
from sluice.stages import maintain as stage
from tests.stage.core_world import MERGED, Crash, World, csv, faults
from tests.stage.moto_server import moto_server

pytestmark = pytest.mark.proof

JANUARY, FEBRUARY = "2024-01-10", "2024-02-10"
LONG = timedelta(days=40)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def table_of(world: World, name: str = "items") -> Table:
    return world.services.catalog.load_table((world.settings.database, name))


def files_of(world: World, name: str = "items") -> list[Any]:
    return [task.file for task in table_of(world, name).scan().plan_files()]


def everything(world: World, name: str = "items") -> list[dict[str, Any]]:
    return sorted(table_of(world, name).scan().to_arrow().to_pylist(), key=repr)


def stored(world: World) -> set[str]:
    listed = world.raw.list_objects_v2(Bucket=world.settings.lake_bucket, Prefix="tables/")
    return {item["Key"] for item in listed["Contents"]}


def fill(world: World, files: int = 4) -> None:
    for at in range(files):
        rows = ((10 * at, JANUARY, at), (10 * at + 1, FEBRUARY, at), ("x", JANUARY, 0))
        world.load(world.put(f"{at}.csv", csv(*rows)))


def meanwhile(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    """Let something happen after the first bin was merged and before it is committed."""
    real, times = kernel.compact, iter([happen])

    def merged(*arguments: Any, **named: Any) -> Any:
        done = real(*arguments, **named)
        next(times, lambda: None)()
        return done

    monkeypatch.setattr(stage, "compact", merged)


@pytest.mark.parametrize("plan", [None, MERGED], ids=["append", "merge"])
def test_small_files_of_a_partition_become_one_and_no_row_or_provenance_changes(endpoint: str, plan: Any) -> None:
    world = World(endpoint, plan) if plan else World(endpoint)
    fill(world)
    before, fence = everything(world), table_of(world).properties["sluice.fence"]
    done = world.maintain()
    assert (done.compacted_files, done.compacted_into, len(files_of(world))) == (8, 2, 2)
    assert everything(world) == before
    assert table_of(world).properties["sluice.fence"] == fence
    column = "id" if plan else "_sluice_object"
    for file in files_of(world):
        with table_of(world).io.new_input(file.file_path).open() as stream:
            values = pq.read_table(stream)[column].to_pylist()
        assert values == sorted(values)
    again = world.maintain()
    assert (again.compacted_files, world.snapshots()) == (0, 5)
    rejects = everything(world, "items__rejects")
    assert (world.maintain("items__rejects").compacted_into, everything(world, "items__rejects")) == (1, rejects)
    world.load(world.put("0.csv", csv((7, JANUARY, 7))))  # a run goes on from compacted files
    assert 7 in world.ids()
    assert 1 not in world.ids() or plan


def test_few_small_files_are_left_alone(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 3)
    assert world.maintain(least=4).compacted_files == 0


def test_a_row_that_a_run_replaces_meanwhile_does_not_come_back(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(endpoint)
    fill(world, 3)
    meanwhile(monkeypatch, lambda: world.load(world.put("1.csv", csv((99, JANUARY, 9)))))
    world.maintain()
    assert world.ids() == [0, 1, 20, 21, 99]
    # January's sources changed; February's lost one too: nothing was committed, the next pass does it all.
    monkeypatch.undo()
    assert world.maintain().compacted_into == 2
    assert world.ids() == [0, 1, 20, 21, 99]


def test_a_run_that_a_compaction_overtakes_plans_anew(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 3)
    world.ingest(world.put("1.csv", csv((99, JANUARY, 9))))
    fence = world.fence
    world.claim(fence)
    world.transform(0, fence)
    real, once = world.services.catalog.commit_table, iter([1])

    def overtaken(*arguments: Any, **named: Any) -> Any:
        if next(once, None):
            assert world.maintain().compacted_into == 2
        return real(*arguments, **named)

    world.services.catalog.commit_table = overtaken  # type: ignore[method-assign]
    world.publish(fence)
    world.settle(fence)
    assert world.ids() == [0, 1, 20, 21, 99]


def test_a_table_whose_dataset_is_never_quiet_is_compacted_all_the_same(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 3)
    before = everything(world)
    world.ledger.acquire("items", now=2**33, seconds=600)
    assert world.maintain().compacted_into == 2
    assert everything(world) == before


@pytest.mark.parametrize(("crash", "points"), [(True, 9), (False, 4)], ids=["death", "response lost"])
def test_compaction_may_fail_at_any_call(endpoint: str, crash: bool, points: int) -> None:
    world = World(endpoint)
    effects = ("file.create", "PutObject", "UpdateTable", "DeleteObjects") if crash else ("PutObject", "UpdateTable")
    world.load(world.put("a.csv", csv((0, JANUARY, 0))))
    for at in range(points):
        world.load(world.put(f"{at}.csv", csv((at, JANUARY, at))))
        before = everything(world)
        with faults(world, at=at, when="after", crash=crash, effects=effects) as calls, suppress(Crash):
            world.maintain()
        assert everything(world) == before, calls
        world.maintain()
        assert (everything(world), len(files_of(world))) == (before, 1)
    assert len(calls) < points, "the points are not all there are"


def test_snapshots_expire_by_when_they_were_replaced_and_the_newest_never(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 3)
    assert world.maintain(after=timedelta(days=20), least=99).expired_snapshots == 0
    assert world.maintain(after=timedelta(days=22), least=99).expired_snapshots == 2
    assert (world.snapshots(), world.ids()) == (1, [0, 1, 10, 11, 20, 21])
    world.load(world.put("3.csv", csv((30, JANUARY, 1))))
    # The snapshot before was made long ago by now, and was the newest until just now.
    now = table_of(world).metadata
    old = now.model_copy(update={"snapshots": [one.model_copy(update={"timestamp_ms": 0}) for one in now.snapshots]})
    assert expired(old, before=datetime.now(UTC) - timedelta(days=1)) == ()


def test_the_marks_of_a_run_outlive_its_snapshot(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 3)
    world.maintain(after=LONG)
    world.raw.delete_object(Bucket=world.settings.lake_bucket, Key="runs/items/00000001/published.json")
    with pytest.raises(StaleRunError):
        world.publish(1)
    assert world.ids() == [0, 1, 10, 11, 20, 21]


def test_orphans_go_after_they_were_seen_twice_and_only_when_they_are_old(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 3)
    world.maintain()
    before, rows = stored(world), everything(world)
    stray = {"Bucket": world.settings.lake_bucket, "Key": "tables/items/data/items-1/stray.parquet", "Body": b"x"}
    world.raw.put_object(**stray)
    world.raw.put_object(**{**stray, "Key": "tables/others/data/items-1/stray.parquet"})
    world.raw.put_object(**{**stray, "Key": "tables/items_more/data/items-1/stray.parquet"})
    first = world.maintain()
    assert (first.removed_files, first.orphan_files, first.orphan_bytes) == (0, 1, 1)
    assert world.maintain(after=DAY).removed_files == 0  # too young
    assert world.maintain(after=LONG).removed_files == 1  # 3 snapshots expire, their files become orphans
    assert world.maintain(after=LONG + timedelta(hours=1)).removed_files == 0  # not seen for long enough
    last = world.maintain(after=LONG + DAY)
    assert last.removed_files > 6
    assert (last.orphan_files, last.missing_files) == (0, 0)
    assert everything(world) == rows
    left = stored(world)
    assert {key for key in left - before if "stray" in key} == {
        "tables/others/data/items-1/stray.parquet",
        "tables/items_more/data/items-1/stray.parquet",
    }
    deleted = world.raw.list_object_versions(Bucket=world.settings.lake_bucket, Prefix="tables/items/data/items-1/")
    assert deleted["DeleteMarkers"]
    assert deleted["Versions"], "a mistake can be undone"


def test_files_of_a_run_that_may_publish_yet_are_kept_however_old_they_are(endpoint: str) -> None:
    # A run that was redriven after weeks: it publishes what it wrote then.
    world = World(endpoint)
    fill(world, 2)
    world.ingest(world.put("late.csv", csv((77, JANUARY, 7))))
    fence = world.fence
    world.claim(fence)
    world.transform(0, fence)
    for day in range(3):
        world.maintain(after=LONG + day * DAY)
    world.publish(fence)
    assert world.ids() == [0, 1, 10, 11, 77]


def test_files_of_a_compaction_that_may_commit_yet_are_kept(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(endpoint)
    fill(world, 3)
    rows, real, put = everything(world), stage.put_file, iter([1])

    def and_then(*arguments: Any, **named: Any) -> str:
        uri = real(*arguments, **named)
        if next(put, None):
            for day in range(2):  # other passes, which take what lies there for weeks already
                assert world.maintain(after=LONG + day * DAY, least=99).compacted_files == 0
        return uri

    monkeypatch.setattr(stage, "put_file", and_then)
    world.maintain()
    assert everything(world) == rows


def test_a_table_that_athena_made_for_a_mart_is_forgotten_first_and_its_files_go_a_pass_later(endpoint: str) -> None:
    world = World(endpoint)
    database, bucket = world.settings.database, world.settings.lake_bucket
    schema = Schema(NestedField(1, "n", LongType(), required=False))
    world.services.catalog.create_table((database, "mart"), schema, location=f"s3://{bucket}/tables/mart")
    world.services.glue.create_table(DatabaseName=database, TableInput={"Name": "mart__ctas_tok"})
    world.services.glue.create_table(DatabaseName=database, TableInput={"Name": "marts"})
    stray = "tables/mart/data/tok/data/a.parquet"
    world.raw.put_object(Bucket=bucket, Key=stray, Body=b"x")
    assert world.maintain("mart").forgotten_tables == 0
    kept = world.maintain("mart", after=LONG)
    assert (kept.forgotten_tables, kept.removed_files) == (1, 0)
    assert world.maintain("mart", after=LONG + DAY).removed_files == 1
    assert stray not in stored(world)
    left = world.services.glue.get_tables(DatabaseName=database)["TableList"]
    assert {table["Name"] for table in left} == {"mart", "marts"}


def test_a_manifest_that_cannot_be_read_stops_the_removal(endpoint: str) -> None:
    world = World(endpoint)
    fill(world, 2)
    stray = "tables/items/data/items-1/stray.parquet"
    world.raw.put_object(Bucket=world.settings.lake_bucket, Key=stray, Body=b"x")
    world.maintain()
    (manifest, *_) = table_of(world).current_snapshot().manifests(table_of(world).io)  # type: ignore[union-attr]
    key = manifest.manifest_path.partition("/tables/")[2]
    world.raw.delete_object(Bucket=world.settings.lake_bucket, Key=f"tables/{key}")
    with pytest.raises(FileNotFoundError):
        world.maintain(after=LONG)
    assert stray in stored(world)


def test_what_a_listing_and_the_metadata_say_is_compared_by_name() -> None:
    assert data_folder_of("tables/items/data/items-12/ab.parquet") == "items-12"
    assert data_folder_of("tables/items/metadata/00001.json") == ""
    assert orphans.is_of_open_run("items-12", dataset="items", fence=11)
    assert not orphans.is_of_open_run("items-12", dataset="items", fence=12)
    assert compaction.is_of("compact-7", 7)
    assert not compaction.is_of("compact-7", None)
