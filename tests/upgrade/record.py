"""Record the state that a release leaves behind, for later releases to continue: `python -m tests.upgrade.record FILE`.

Run it once with the code of each release (in a checkout of its tag). Keep FILE here as `release-<version>.zip`, with
the release's `shapes.py` beside it. One zip holds three datasets, each with its own buckets, ledger and Glue database.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from dataclasses import replace
from typing import Any

import boto3

from sluice.contract.plan import Column
from sluice.local.athena import execute
from sluice.stages.refresh import MartContext, prepare, swap
from sluice.warehouse.parse import compile_marts
from tests.stage.core_world import ITEMS, MERGED, REGION, World, csv
from tests.stage.moto_server import moto_server

NOTE = Column(name="note", source="note", type="string", cast='"note"', expected="string")
EVOLVED = replace(ITEMS, version="1.1.0", columns=(*ITEMS.columns, NOTE))
REPLACED = replace(ITEMS, mode="replace")
TOTALS = "-- ---\n-- description: amounts by day\n-- ---\nSELECT day, sum(amount) AS total FROM items GROUP BY day"
_ENTRY = ("Name", "Description", "TableType", "Parameters", "StorageDescriptor", "PartitionKeys")


def append(endpoint: str) -> World:
    """A table that evolved, rejects open and closed by a repaired file, a mart that is stale, loads that wait."""
    world = World(endpoint, ITEMS)
    world.load(world.put("a.csv", csv((1, "2024-02-01", 10), (2, "2024-02-02", 20))))
    world.plan = EVOLVED
    broken = world.put("b.csv", "id,day,amount,note\n3,2024-02-03,30,new\n,2024-02-04,40,no id\n")
    world.load(broken)
    detail = json.loads(broken)["detail"]["object"]
    named = hashlib.sha256(f"{detail['key']}\n{detail['version-id']}".encode()).hexdigest()[:16]
    world.load(world.put(f"mended-{named}.csv", "id,day,amount,note\n4,2024-02-04,40,mended\n"))
    refresh(world, endpoint)
    world.load(world.put("c.csv", "id,day,amount,note\n5,2024-02-05,x,open\n6,2024-02-06,60,\n"))
    world.ingest(world.put("d.csv", "id,day,amount,note\n7,2024-02-07,70,waits\n"))
    world.ingest(world.put("a.csv", "id,day,amount,note\n1,2024-02-01,11,again\n"))
    return world


def merge(endpoint: str) -> World:
    """A run is claimed and transformed, and not published."""
    world = World(endpoint, MERGED)
    world.load(world.put("a.csv", csv((1, "2024-02-01", 10), (2, "2024-02-02", 20))))
    world.load(world.put("b.csv", csv((1, "2024-02-01", 15))))
    world.ingest(world.put("c.csv", csv((2, "2024-02-02", 25), (3, "2024-02-03", 30))))
    for group in world.claim().groups:
        world.transform(group.index)
    return world


def replaced(endpoint: str) -> World:
    """A run is claimed, and nothing else."""
    world = World(endpoint, REPLACED)
    world.load(world.put("a.csv", csv((1, "2024-02-01", 10), (2, "2024-02-02", 20))))
    world.ingest(world.put("b.csv", csv((3, "2024-02-03", 30))))
    world.claim()
    return world


def mart_context(world: World) -> MartContext:
    tables = {"items": [(column.name, column.type) for column in EVOLVED.columns]}
    return MartContext(
        marts=tuple(compile_marts({"totals.sql": TOTALS}, tables=tables)),
        catalog=world.services.catalog,
        s3=world.services.s3,
        database=world.settings.database,
        lake_bucket=world.settings.lake_bucket,
        sleep=lambda _: None,
    )


def refresh(world: World, endpoint: str) -> str:
    """Refresh the mart `totals`; answer what came of it."""
    prepared = prepare(mart_context(world), "totals", attempt=str(world.fence))
    if prepared.skip:
        return prepared.reason
    execute(prepared.sql, database=world.settings.database, endpoint=endpoint, region=REGION)
    return swap(mart_context(world), "totals", token=prepared.token)


def dump(world: World, archive: zipfile.ZipFile) -> dict[str, Any]:
    """Write the bodies of all objects into the archive, and return all else."""
    settings, session = world.settings, boto3.Session(region_name=REGION)
    s3, glue = session.client("s3"), session.client("glue")
    objects = []
    for bucket in ("raw_bucket", "lake_bucket"):
        name = getattr(settings, bucket)
        listed = s3.list_object_versions(Bucket=name)
        assert not listed["IsTruncated"]
        for version in listed["Versions"]:
            body = s3.get_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
            member = f"{hashlib.sha256(body).hexdigest()}"
            if member not in archive.namelist():
                archive.writestr(member, body)
            objects.append(
                {
                    "bucket": bucket,
                    "key": version["Key"],
                    "version": version["VersionId"],
                    "modified": version["LastModified"].isoformat(),
                    "body": member,
                }
            )
    tables = glue.get_tables(DatabaseName=settings.database)["TableList"]
    return {
        "names": {name: getattr(settings, name) for name in ("raw_bucket", "lake_bucket", "ledger_table", "database")},
        "ledger": session.client("dynamodb").scan(TableName=settings.ledger_table)["Items"],
        "objects": sorted(objects, key=lambda entry: entry["modified"]),
        "tables": [{name: table[name] for name in _ENTRY if name in table} for table in tables],
    }


def main(file: str) -> None:
    with moto_server() as endpoint, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        state = {make.__name__: dump(make(endpoint), archive) for make in (append, merge, replaced)}
        archive.writestr("state.json", json.dumps(state, indent=1, default=str))


if __name__ == "__main__":
    main(sys.argv[1])
