"""Publish under faults: the process dies, or a response is lost, at any call; and the traps that the guards are for."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from moto.glue.responses import GlueResponse
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from sluice.errors import TransientError
from sluice.lake.catalog import CommitConflictError, OneAttemptCatalog, connect
from sluice.lake.publish import Edit, Publisher, commit, publish
from sluice.local.seams import glue_version
from sluice.local.seams.patch import original
from tests.stage.core_world import REGION, Crash, World, csv, faults
from tests.stage.moto_server import moto_server

JANUARY = "2024-01-10"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def tables(world: World) -> tuple[list[tuple[int, int]], list[str]]:
    return [(id_, amount) for id_, _, amount in world.rows()], [row["value"] for row in world.rejects()]


def table_of(world: World, catalog: GlueCatalog | None = None) -> Table:
    return (catalog or world.services.catalog).load_table((world.settings.database, "items"))


def rival(world: World, name: str) -> None:
    """Somebody else changes the table: compaction, another tool, a person."""
    with table_of(
        world, connect(boto3.Session(region_name=REGION), endpoint=world.settings.endpoint)
    ).transaction() as change:
        change.set_properties({name: "was here"})
        change.update_snapshot().fast_append().commit()


@pytest.mark.parametrize(
    ("when", "crash", "effects", "points"),
    [
        ("after", True, ("PutObject", "file.create", "UpdateTable"), 12),
        ("after", False, ("PutObject", "UpdateTable"), 4),
        ("before", False, ("UpdateTable",), 2),
    ],
    ids=["death after", "response lost", "request lost"],
)
def test_one_fault_at_any_call_leaves_the_right_rows(
    endpoint: str,
    when: str,
    crash: bool,
    effects: tuple[str, ...],
    points: int,
) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 0), ("x", JANUARY, 0))), world.put("b.csv", csv((2, JANUARY, 0))))
    for at in range(points + 1):
        # Each round overwrites an object that shares its file with another, with the fault one call further on.
        before = tables(world)
        after = [(1, at + 1), (2, 0)], [f"y{at}"]
        world.ingest(world.put("a.csv", csv((1, JANUARY, at + 1), (f"y{at}", JANUARY, 0))))
        world.claim()
        world.transform()
        died = False
        with faults(world, at=at, when=when, crash=crash, effects=effects) as calls:
            try:
                world.publish()
            except Crash:
                died = True
        if died:
            assert tables(world)[0] in (before[0], after[0])
            world.publish()
        assert died == (crash and at < points), "the points are not all there are"
        assert tables(world) == after, (at, calls[at : at + 1])
        world.settle()
    assert len(calls) == points


@pytest.mark.parametrize(
    ("catalog", "attempts", "survives"),
    [(GlueCatalog, 2, False), (GlueCatalog, 1, True), (OneAttemptCatalog, 2, True)],
    ids=["neither guard", "one attempt", "other words"],
)
def test_a_lost_response_destroys_the_table_unless_a_guard_stands(
    endpoint: str,
    catalog: type[GlueCatalog],
    attempts: int,
    survives: bool,
) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 1))))
    with faults(world, at=0, when="after", crash=False, effects=("UpdateTable",)):
        glue = world.session.client("glue", config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}))
        table = table_of(world, catalog("any", client=glue, **{"s3.endpoint": endpoint, "s3.region": REGION}))
        transaction = table.transaction()
        transaction.update_snapshot().fast_append().commit()
        with pytest.raises((CommitFailedException, CommitConflictError, ReadTimeoutError)):
            transaction.commit_transaction()
    if survives:
        assert world.ids() == [1]
    else:
        with pytest.raises(FileNotFoundError):
            world.ids()


def test_a_conflict_deletes_nothing_and_is_planned_anew(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 1))))
    seen: list[int | None] = []

    def decide(table: Table) -> Edit:
        snapshot = table.current_snapshot()
        seen.append(snapshot.snapshot_id if snapshot else None)
        if len(seen) == 1:
            rival(world, "first")
        return Edit(properties={"mine": "yes"})

    commit(world.services.catalog, (world.settings.database, "items"), decide=decide, sleep=lambda _: None)
    assert len(set(seen)) == 2
    assert table_of(world).properties["mine"] == "yes"
    listed = world.raw.list_object_versions(Bucket=world.settings.lake_bucket, Prefix="tables/items/metadata/")
    assert "DeleteMarkers" not in listed


def test_a_publisher_gives_up_after_a_bounded_number_of_attempts(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 1))))
    waits: list[float] = []

    def plan(_: Table) -> Edit:
        raise TransientError("S3 is slow today")

    with pytest.raises(TransientError):
        publish(
            world.services.catalog,
            (world.settings.database, "items"),
            publisher=Publisher(dataset="items", run_id="items-9", fence=9),
            plan=plan,
            sleep=waits.append,
        )
    assert len(waits) == 8
    assert table_of(world).properties["sluice.fence"] == "1"


def test_a_conflict_is_reported_in_words_that_pyiceberg_does_not_act_upon(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 1))))
    change = table_of(world).transaction()
    change.update_snapshot().fast_append().commit()
    rival(world, "first")
    with pytest.raises(CommitConflictError):
        change.commit_transaction()
    assert world.ids() == [1]


def test_without_the_seam_moto_loses_one_of_two_concurrent_updates(endpoint: str) -> None:
    # The canary of the seam: when moto honours VersionId, the seam can go.
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 1))))
    glue = world.services.catalog.glue
    here = {"DatabaseName": world.settings.database, "Name": "items"}
    entry = glue.get_table(**here)["Table"]

    def update(owner: str) -> None:
        glue.update_table(
            DatabaseName=here["DatabaseName"],
            TableInput={"Name": "items", "Parameters": {**entry["Parameters"], "owner": owner}},
            VersionId=entry["VersionId"],
        )

    update("first")
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        update("second")
    assert glue.get_table(**here)["Table"]["Parameters"]["owner"] == "first"
    GlueResponse.update_table = original(GlueResponse, "update_table")
    try:
        update("second")
    finally:
        glue_version.install()
    assert glue.get_table(**here)["Table"]["Parameters"]["owner"] == "second"
