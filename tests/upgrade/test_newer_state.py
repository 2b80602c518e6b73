"""Code that meets a state of a newer release changes nothing and says so; a state without a number is of 0.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sluice.contract.plan import Plan
from sluice.errors import NewerStateError
from sluice.lake.marks import FORMAT
from sluice.state import FORMATS, KEY
from tests.stage.core_world import ITEMS, World, csv
from tests.stage.moto_server import moto_server


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(scope="module")
def world(endpoint: str) -> World:
    """One load is published, and a second one is claimed and transformed."""
    world = World(endpoint)
    world.load(world.put("a", csv((1, "2024-02-01", 10))))
    world.ingest(world.put("b", csv((2, "2024-02-02", 20))))
    for group in world.claim().groups:
        world.transform(group.index)
    return world


def test_a_plan_of_a_newer_release_is_refused_and_one_without_a_number_is_read() -> None:
    data = json.loads(ITEMS.to_json())
    assert data.pop(KEY) == FORMATS["plan"]
    assert Plan.from_dict(data) == ITEMS
    with pytest.raises(NewerStateError, match="contract of items has format 99, and this release of Sluice knows"):
        Plan.from_dict({**data, KEY: 99})


@pytest.mark.proof
@pytest.mark.parametrize("item", ["lease", "load#", "run#", "pending#"])
def test_a_ledger_of_a_newer_release_is_refused(world: World, item: str) -> None:
    with newer_item(world, item), pytest.raises(NewerStateError, match="ledger of items"):
        everything_of(world)
    everything_of(world)


@pytest.mark.proof
def test_a_claim_of_a_newer_release_is_refused_and_its_files_stay_unpublished(world: World) -> None:
    key, bucket = f"{world.folder(world.fence).prefix}/claim.json", world.settings.lake_bucket
    body = world.raw.get_object(Bucket=bucket, Key=key)["Body"].read()
    claim = json.loads(body)
    assert claim[KEY] == FORMATS["run"]
    world.raw.put_object(Bucket=bucket, Key=key, Body=json.dumps({**claim, KEY: 99}).encode())
    with pytest.raises(NewerStateError, match=key):
        world.publish()
    world.raw.put_object(Bucket=bucket, Key=key, Body=body)
    assert world.ids() == [1]


@pytest.mark.proof
def test_a_table_of_a_newer_release_is_neither_claimed_for_nor_changed(world: World) -> None:
    table = world.services.catalog.load_table((world.settings.database, "items"))
    assert table.properties[FORMAT] == str(FORMATS["table"])
    with table.transaction() as transaction:
        transaction.set_properties({FORMAT: "99"})
    for step in (world.publish, world.claim, world.reconcile, world.maintain):
        with pytest.raises(NewerStateError, match="a table"):
            step()
    assert world.snapshots() == 1
    with table.refresh().transaction() as transaction:
        transaction.set_properties({FORMAT: str(FORMATS["table"])})


def everything_of(world: World) -> None:
    world.ledger.lease("items")
    list(world.ledger.loads("items"))
    list(world.ledger.runs("items"))
    world.ledger.pending("items")


class newer_item:  # noqa: N801  (reads as a statement)
    """One item of the ledger is as a newer release writes it, while the block lasts."""

    def __init__(self, world: World, kind: str) -> None:
        self.table = world.session.resource("dynamodb").Table(world.settings.ledger_table)
        (self.item, *_) = [item for item in self.table.scan()["Items"] if item["sk"].startswith(kind)]

    def __enter__(self) -> None:
        assert int(self.item[KEY]) == FORMATS["ledger"]  # type: ignore[arg-type]
        self.table.put_item(Item={**self.item, KEY: 99})

    def __exit__(self, *_: object) -> None:
        self.table.put_item(Item=self.item)
