"""The whole deployed pipeline under random plans of faults: its tables equal a rebuild from scratch after each.

Real flights and weather in small files; the gateway plays the faults, in whatever function or job makes the call.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from sluice.cli.demo.source import months, reference_file, year_of_flights
from sluice.contract.plan import Plan
from sluice.kernel.outcome import SourceFile
from sluice.kernel.transform import transform
from sluice.lake.versions import Version, list_prefix
from sluice.ledger.model import load_id
from sluice.local.faults import Fault
from sluice.project import load_project

PLANS = int(os.environ.get("SLUICE_PLANS", "12"))  # docs/exactly-once.md: 50 take longer than `make prove` may
pytestmark = [pytest.mark.proof, pytest.mark.timeout(150 * PLANS)]

DATASETS = ("airlines", "flights", "weather")  # replace, append, merge
# Calls of the functions. Of reads one is enough: all are made through the same patient clients.
CALLS = (
    ("dynamodb", "TransactWriteItems"), ("dynamodb", "UpdateItem"), ("dynamodb", "Query"), ("dynamodb", "GetItem"),
    ("s3", "PutObject"), ("s3", "PutObject"), ("s3", "GetObject"), ("s3", "ListObjectVersions"),
    ("glue", "UpdateTable"), ("glue", "UpdateTable"), ("glue", "GetTable"),
    ("events", "PutEvents"), ("sqs", "SendMessage"), ("stepfunctions", "StartExecution"), ("lambda", "Invoke"),
)  # fmt: skip
TRIES = 8


@pytest.fixture(scope="module")
def plans(root: Path) -> dict[str, Plan]:
    return dict(load_project(root).plans)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[bytes]]:
    """Lines of real files, the header first."""
    weather = reference_file("weather").read_bytes().splitlines(keepends=True)
    airlines = reference_file("airlines").read_bytes().splitlines(keepends=True)
    return {"flights": months(year_of_flights())[2], "weather": weather, "airlines": airlines}


def test_tables_equal_a_rebuild_from_scratch_after_every_plan_of_faults(
    world: Any, plans: dict[str, Plan], rows: dict[str, list[bytes]], tmp_path: Path
) -> None:
    without_marts(world)
    struck = checked = 0
    for seed in range(PLANS):
        rng = random.Random(seed)
        faults = list(some_faults(rng))
        for fault in faults:
            world.cloud.inject(fault)
        for dataset in rng.sample(DATASETS, rng.randint(1, 3)):
            header, *lines = rows[dataset]
            body = b"".join([header, *rng.sample(lines, min(len(lines), rng.randint(1, 8)))])
            if rng.random() < 0.3:
                body += b"spoilt\n"
            upload(world, f"{dataset}/{rng.choice('abcd')}.csv", body)
        world.cloud.wait_until_quiet(400)
        struck += sum(bool(call.fault) for call in world.cloud.calls)
        world.cloud.gateway.calls.clear()
        world.cloud.gateway.faults.clear()
        come_to_rest(world)
        for dataset in DATASETS:
            expected = rebuilt(world, plans[dataset], tmp_path / f"{seed}-{dataset}")
            assert curated(world, plans[dataset]) == expected, f"plan {seed}: {dataset} after {faults}"
            checked += bool(expected)
        print(f"plan {seed}: {struck} faults struck so far")
    assert checked >= PLANS, "most comparisons must be of tables with rows"
    assert struck >= PLANS, "the faults must have met calls"
    print(f"{PLANS} plans, {struck} faults struck, {checked} tables with rows compared")


def without_marts(world: Any) -> None:
    """Nobody listens to TablePublished: refreshing marts has tests of its own, and would take most of the time."""
    events = world.cloud.client("events")
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "TablePublished" in rule.get("EventPattern", "")]
    assert rules
    for rule in rules:
        targets = events.list_targets_by_rule(Rule=rule)["Targets"]
        events.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets])


def some_faults(rng: random.Random) -> Iterator[Fault]:
    for _ in range(rng.randint(1, 5)):
        service, operation = rng.choice(CALLS)
        yield Fault(
            match=(service, operation, rng.randint(1, 6)),
            when=rng.choice(("before", "after")),
            kind=rng.choice(("drop", "drop", "500", "throttle")),
            times=rng.choice((1, 1, 1, 6)),
        )


def upload(world: Any, key: str, body: bytes) -> None:
    """Put an object as people do: the faults strike them, too, and they try again."""
    for _ in range(TRIES):
        with contextlib.suppress(BotoCoreError, ClientError):
            world.put(key, body)
            return
    raise AssertionError(f"{key} could not be uploaded")


def come_to_rest(world: Any) -> None:
    """Let the reconciler visit until no load waits."""
    ledger = world.target.ledger()
    for _ in range(TRIES):
        world.cloud.tick("reconcile")
        world.cloud.wait_until_quiet(400)
        if not any(ledger.pending(dataset) or ledger.lease(dataset).run_id for dataset in DATASETS):
            break
    assert not any(ledger.pending(dataset) for dataset in DATASETS), "loads wait for ever"


def curated(world: Any, plan: Plan) -> list[tuple[Any, ...]]:
    catalog = world.target.catalog()
    if not catalog.table_exists((world.target.database, plan.dataset)):
        return []
    return comparable(catalog.load_table((world.target.database, plan.dataset)).scan().to_arrow(), plan)


def rebuilt(world: Any, plan: Plan, scratch: Path) -> list[tuple[Any, ...]]:
    """The rows that the raw bucket and the contract give, by the kernel and the law of the mode."""
    s3 = world.cloud.client("s3")
    bucket = world.target.raw_bucket
    histories = list(list_prefix(s3, bucket=bucket, prefix=f"{plan.dataset}/"))
    newest = [history.newest for history in histories if history.newest is not None]
    if plan.mode == "merge":
        shown = [version for history in histories for version in history.versions]
    else:
        shown = newest if plan.mode == "append" else sorted(newest, key=lambda version: version.order)[-1:]
    sources = [source(s3, bucket, version, scratch / str(at)) for at, version in enumerate(shown)]
    if not sources:
        return []
    made = transform(sources, plan, out=scratch / "out", scratch=scratch / "spill", run_id="rebuild")
    tables = [pq.read_table(file.path) for file in made.files if file.kind == "data"]
    if not tables:
        return []
    every = pa.concat_tables(tables, promote_options="default")
    if plan.mode != "merge":
        return comparable(every, plan)
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in every.to_pylist():
        key = tuple(row[name] for name in plan.primary_key)
        if key not in latest or age(row, plan) > age(latest[key], plan):
            latest[key] = row
    return comparable(pa.Table.from_pylist(list(latest.values()), schema=every.schema), plan)


def source(s3: Any, bucket: str, version: Version, path: Path) -> SourceFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(s3.get_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)["Body"].read())
    return SourceFile(
        path=path,
        load_id=load_id(bucket, version.key, version.version_id),
        key=version.key,
        version_id=version.version_id,
        order=version.order,
    )


def age(row: dict[str, Any], plan: Plan) -> tuple[Any, ...]:
    sequence = row[plan.sequence_by] if plan.sequence_by else None
    return (sequence is not None, sequence, row["_sluice_order"], row["_sluice_row"])


def comparable(table: pa.Table, plan: Plan) -> list[tuple[Any, ...]]:
    """Rows without the run, which a rebuild does not know, in an order of their own."""
    names = [column.name for column in plan.columns]
    names += [name for name in table.column_names if name.startswith("_sluice_") and name != "_sluice_run"]
    return sorted((tuple(row[name] for name in names) for row in table.to_pylist()), key=repr)
