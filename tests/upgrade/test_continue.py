"""Present code continues what an earlier release left half done, and ends where that release would have ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.cli.repair import closed
from sluice.cli.target import Target
from sluice.lake.marks import FORMAT
from sluice.local.athena import execute
from sluice.stages.doctor import DoctorContext, examine
from sluice.state import FORMATS, KEY
from tests.stage.core_world import MERGED, REGION, World
from tests.stage.moto_server import moto_server
from tests.upgrade.record import EVOLVED, REPLACED, refresh
from tests.upgrade.restore import RELEASES, restored

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(params=RELEASES, ids=lambda file: file.stem)
def release(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def finish(world: World) -> None:
    """The run that the release began, to its end."""
    for group in world.claim().groups:
        world.transform(group.index)
    world.publish()
    world.settle()


def is_well(world: World) -> None:
    """Bucket, ledger and tables agree, and what was written since carries its number."""
    found = examine(
        world.plan,
        DoctorContext(
            s3=world.services.s3, catalog=world.services.catalog, ledger=world.ledger, states=world.services.states,
            state_machine=world.settings.state_machine, raw_bucket=world.settings.raw_bucket,
            lake_bucket=world.settings.lake_bucket, database=world.settings.database, now=world.now,
            overdue_seconds=world.settings.lease_seconds,
        ),
    )  # fmt: skip
    assert [finding for finding in found.findings if not finding.holds] == []
    table = world.services.catalog.load_table((world.settings.database, "items"))
    assert table.properties[FORMAT] == str(FORMATS["table"])
    ledger = world.session.resource("dynamodb").Table(world.settings.ledger_table)
    runs = [item for item in ledger.scan()["Items"] if item["sk"].startswith("run#")]
    assert max(runs, key=lambda item: str(item["sk"]))[KEY] == FORMATS["ledger"]


def test_loads_that_wait_reach_a_table_that_evolved_and_its_stale_mart_follows(release: Path, endpoint: str) -> None:
    world = restored(release, "append", EVOLVED, endpoint)
    before = [(1, 10), (2, 20), (3, 30), (4, 40), (6, 60)]
    assert [(row[0], row[2]) for row in world.rows()] == before
    names = {name: getattr(world.settings, name) for name in ("raw_bucket", "lake_bucket", "ledger_table", "database")}
    assert len(closed(Target(**names, workgroup="", endpoint=endpoint), "items")) == 1, "by a file called mended-..."
    finish(world)
    assert [(row[0], row[2], row[3]) for row in world.rows()] == [
        (1, 11, "again"), (3, 30, "new"), (4, 40, "mended"), (6, 60, None), (7, 70, "waits"),
    ]  # fmt: skip
    assert [(reject["object"], reject["rule"]) for reject in world.rejects()] == [
        ("items/b.csv", "required"), ("items/c.csv", "type"),
    ]  # fmt: skip
    assert refresh(world, endpoint) == "done"
    rows = execute("SELECT sum(total) FROM totals", database=world.settings.database, endpoint=endpoint, region=REGION)
    assert list(rows.rows) == [(11 + 30 + 40 + 60 + 70,)]
    is_well(world)


def test_a_run_that_was_claimed_and_transformed_is_published_once(release: Path, endpoint: str) -> None:
    world = restored(release, "merge", MERGED, endpoint)
    assert [(row[0], row[2]) for row in world.rows()] == [(1, 15), (2, 20)]
    world.publish()
    world.settle()
    assert world.publish().changed
    assert [(row[0], row[2]) for row in world.rows()] == [(1, 15), (2, 25), (3, 30)]
    assert world.states_of_loads() == ["DONE"] * 3
    is_well(world)


def test_a_run_that_was_only_claimed_goes_on(release: Path, endpoint: str) -> None:
    world = restored(release, "replaced", REPLACED, endpoint)
    finish(world)
    assert world.ids() == [3]
    is_well(world)
