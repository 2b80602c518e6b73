"""All that the stacks can do, on little data and in a few minutes: both engines, every failure, every schedule."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from moto.events.models import events_backends

from sluice.cli.demo import source
from sluice.cli.target import Target
from sluice.local.cloud import LocalCloud
from sluice.local.faults import Fault
from sluice.local.principals import ACCOUNT

ROWS = 300  # of each file: enough for every mart to have rows
MAX_ATTEMPTS = 2
LAMBDA_BYTES = 50_000  # a file beyond it goes to Spark
SETTINGS = {"lambda_max_bytes": str(LAMBDA_BYTES), "max_attempts": str(MAX_ATTEMPTS)}  # that the flow is made for
AIRPORTS = source.reference_file("airports").read_bytes().splitlines(keepends=True)


def do_everything(cloud: LocalCloud, target: Target) -> None:
    """Load by both engines, overwrite, delete, refuse, fail at every step, reconcile, and let each schedule fire."""
    s3 = cloud.client("s3")

    def put(key: str, content: bytes) -> None:
        s3.put_object(Bucket=target.raw_bucket, Key=key, Body=content)

    def quiet() -> None:
        cloud.wait_until_quiet(240)
        cloud.gateway.faults.clear()

    flights = b"".join(itertools.islice(source.year_of_flights().splitlines(keepends=True), ROWS + 1))
    put("flights/2013-01.csv", flights)
    put("flights_year/2013.csv", flights + flights.split(b"\n", 1)[1])  # each flight twice, so that some are rejected
    for dataset in source.REFERENCE:
        lines = source.reference_file(dataset).read_bytes().splitlines(keepends=True)
        put(f"{dataset}/{dataset}.csv", b"".join(lines[: ROWS + 1]))
    quiet()
    put("flights/2013-01.csv", b"".join(flights.splitlines(keepends=True)[: ROWS // 2]))
    put("airlines/picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    s3.delete_object(Bucket=target.raw_bucket, Key="planes/planes.csv")
    cloud.client("sqs").send_message(QueueUrl=cloud.outputs["IngestQueue"], MessageBody="{not json")
    quiet()
    failures = [
        Fault(match=("s3", "PutObject"), times=200, resource="/tables/airports/"),  # transform
        Fault(match=("s3", "PutObject"), times=200, resource="decision.json"),  # publish
        Fault(match=("glue", "UpdateTable"), when="after", kind="drop"),  # publish, without knowing
        Fault(match=("lambda", "Invoke"), times=200, resource="Settle"),  # settle: the lease stays taken
        Fault(match=("sqs", "SendMessage"), times=50),  # the event itself
    ]
    for number, failure in enumerate(failures, start=2):
        cloud.inject(failure)
        put("airports/airports.csv", b"".join(AIRPORTS[:number]))
        quiet()
        cloud.tick("reconcile")
        quiet()
    cloud.inject(Fault(match=("s3", "PutObject"), times=200, resource="/tables/flights_year/"))
    put("flights_year/2013.csv", flights + flights.split(b"\n", 1)[1])  # a Glue job that fails
    quiet()
    settle_finds_more(cloud, put)
    version_vanishes(cloud, target)
    table_lacks_a_column(target)
    load_is_given_up(cloud, put)
    many_small_files(cloud, put, flights)
    buses = events_backends[ACCOUNT][cloud.region].event_buses
    for rule in [rule for rule in buses["default"].rules.values() if rule.scheduled_expression]:
        cloud.tick(rule.name)
    quiet()


def wait_for(cloud: LocalCloud, function: str) -> None:
    """Wait until a call of the function was met by a fault."""
    deadline = time.monotonic() + 60
    while not any(call.fault and function in call.resource for call in cloud.calls[-200:]):
        assert time.monotonic() < deadline, f"{function} was not called"
        time.sleep(0.05)


def settle_finds_more(cloud: LocalCloud, put: Callable[[str, bytes], None]) -> None:
    """A file comes while a run is busy: its settle starts the next one."""
    cloud.inject(Fault(match=("lambda", "Invoke"), kind="timeout", hold=4, resource="Publish"))
    put("airlines/first.csv", b"carrier,name\nAA,American Airlines Inc.\n")
    wait_for(cloud, "Publish")
    put("airlines/second.csv", b"carrier,name\nDL,Delta Air Lines Inc.\n")
    cloud.wait_until_quiet(240)


def version_vanishes(cloud: LocalCloud, target: Target) -> None:
    """Versions are deleted for good between claim and transform, on both engines."""
    s3, bucket = cloud.client("s3"), target.raw_bucket
    body = source.year_of_flights()[: 2 * LAMBDA_BYTES].rpartition(b"\n")[0] + b"\n"
    for key, call, part in (
        ("planes/b.csv", ("lambda", "Invoke"), "Transform"),
        ("flights_year/2013.csv", ("glue", "StartJobRun"), "Spark"),
    ):
        cloud.inject(Fault(match=call, kind="timeout", hold=4, resource=part))
        content = body if part == "Spark" else body[: LAMBDA_BYTES // 2]
        version = s3.put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
        wait_for(cloud, part)
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
        cloud.wait_until_quiet(240)


def load_is_given_up(cloud: LocalCloud, put: Callable[[str, bytes], None]) -> None:
    """A load fails as often as it may be tried; then claim parks it."""
    cloud.inject(Fault(match=("s3", "PutObject"), times=10_000, resource="/tables/airlines/"))
    put("airlines/b.csv", b"carrier,name\nAA,American Airlines Inc.\n")
    cloud.wait_until_quiet(240)
    for _ in range(MAX_ATTEMPTS):
        cloud.tick("reconcile")
        cloud.wait_until_quiet(240)
    cloud.gateway.faults.clear()


def many_small_files(cloud: LocalCloud, put: Callable[[str, bytes], None], flights: bytes) -> None:
    """A table gets a file a run; maintenance merges them."""
    header, *lines = flights.splitlines(keepends=True)
    for number in range(9):
        put(f"flights/small-{number}.csv", header + lines[number])
        cloud.wait_until_quiet(240)


def table_lacks_a_column(target: Target) -> None:
    """The rejects table is of an older Sluice: claim widens it."""
    table = target.catalog().load_table((target.database, "airlines__rejects"))
    with table.transaction() as transaction, transaction.update_schema() as update:
        update.delete_column("raw")
