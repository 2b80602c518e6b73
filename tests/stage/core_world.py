"""A world for the stages of one dataset: buckets, ledger, catalog and state machine on moto, and a run done by hand."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pyiceberg.io.pyarrow as pyiceberg_io
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from sluice.contract.plan import Column, PartitionField, Plan
from sluice.kernel.outcome import Limits
from sluice.lake.compaction import FileSizes
from sluice.lake.tables import ensure
from sluice.stages.claim import claim
from sluice.stages.environment import StageSettings
from sluice.stages.ingest import Ingested, ingest
from sluice.stages.maintain import Maintained, MaintenanceContext, Retention, maintain, targets
from sluice.stages.manifest import Claim, GroupResult, Publication
from sluice.stages.publish import publish
from sluice.stages.reconcile import Reconciled, reconcile
from sluice.stages.rewrite import rewriting
from sluice.stages.run_folder import RunFolder
from sluice.stages.services import Services
from sluice.stages.settle import Settled, settle
from sluice.stages.transform import transform

REGION, ACCOUNT = "eu-west-1", "123456789012"
START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ITEMS = Plan(
    dataset="items",
    version="1.0.0",
    mode="append",
    columns=(
        Column(name="id", source="id", type="long", cast='TRY_CAST("id" AS BIGINT)', required=True, expected="long"),
        Column(name="day", source="day", type="date", cast='TRY_CAST("day" AS DATE)', expected="date"),
        Column(name="amount", source="amount", type="int", cast='TRY_CAST("amount" AS INTEGER)', expected="int"),
    ),
    partition=(PartitionField(column="day", transform="month", name="day_month"),),
)
MERGED = replace(ITEMS, mode="merge", primary_key=("id",), sequence_by="amount")
NUMBERS = itertools.count()
EFFECTS = ("file.create", "PutObject", "CreateTable", "UpdateTable", "UpdateItem", "TransactWriteItems", "PutEvents")


def csv(*rows: tuple[Any, Any, Any]) -> str:
    return "id,day,amount\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)


class Crash(BaseException):
    """The process died: nothing may catch this."""


class World:
    def __init__(self, endpoint: str, plan: Plan = ITEMS, **settings: Any) -> None:
        self.plan, self.now, number = plan, START, next(NUMBERS)
        session = boto3.Session(region_name=REGION)
        self.states = session.client("stepfunctions")
        names = {
            "raw_bucket": f"raw-{number}",
            "lake_bucket": f"lake-{number}",
            "ledger_table": f"ledger-{number}",
            "database": f"db{number}",
        }
        self.settings = StageSettings(
            state_machine=self.states.create_state_machine(
                name=f"pipeline-{number}",
                roleArn="arn:aws:iam::123456789012:role/any",
                definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            )["stateMachineArn"],
            endpoint=endpoint,
            **names | settings,
        )
        self.raw = session.client("s3")
        for bucket in (self.settings.raw_bucket, self.settings.lake_bucket):
            self.raw.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            self.raw.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        session.client("glue").create_database(DatabaseInput={"Name": self.settings.database})
        session.client("dynamodb").create_table(
            TableName=self.settings.ledger_table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.queue = session.client("sqs").create_queue(QueueName=f"heard-{number}")["QueueUrl"]
        self.restart()

    def restart(self) -> None:
        """A fresh process: nothing is remembered but what AWS remembers."""
        self.session = boto3.Session(region_name=REGION)
        self.services = Services(self.settings, session=self.session, sleep=lambda _: None)
        self.ledger = self.services.ledger

    # ---- the raw zone

    def put(self, name: str, text: str) -> str:
        """Upload an object, and return the body of the event that tells of it."""
        key = f"{self.plan.dataset}/{name}"
        version = self.raw.put_object(Bucket=self.settings.raw_bucket, Key=key, Body=text.encode())["VersionId"]
        return self.event(key, version, size=len(text))

    def delete(self, name: str) -> str:
        key = f"{self.plan.dataset}/{name}"
        version = self.raw.delete_object(Bucket=self.settings.raw_bucket, Key=key)["VersionId"]
        return self.event(key, version, kind="Object Deleted", more={"deletion-type": "Delete Marker Created"})

    def event(
        self, key: str, version: str, *, size: int = 0, kind: str = "Object Created", more: dict[str, str] | None = None
    ) -> str:
        detail = {
            "bucket": {"name": self.settings.raw_bucket},
            "object": {"key": key, "version-id": version, "size": size, "sequencer": "00"},
            **(more or {}),
        }
        return json.dumps({"detail-type": kind, "source": "aws.s3", "account": ACCOUNT, "detail": detail})

    # ---- the stages

    def ingest(self, *bodies: str) -> Ingested:
        return ingest(
            [(f"m{at}", body) for at, body in enumerate(bodies)],
            ledger=self.ledger,
            plans={self.plan.dataset: self.plan},
            raw_bucket=self.settings.raw_bucket,
            account=ACCOUNT,
            wake=self.wake,
            now=self.now,
        )

    @property
    def wake(self) -> Any:
        return self.services.waking(self.settings.state_machine, self.now)

    @property
    def fence(self) -> int:
        return self.ledger.lease(self.plan.dataset).fence

    def folder(self, fence: int) -> RunFolder:
        return self.services.run_folder(self.plan.dataset, fence)

    def claim(self, fence: int | None = None) -> Claim:
        fence = fence or self.fence
        return claim(
            self.folder(fence),
            run_id=f"{self.plan.dataset}-{fence}",
            plan=self.plan,
            s3=self.services.s3,
            ledger=self.ledger,
            settings=self.settings,
            ensure_tables=partial(
                ensure,
                self.services.catalog,
                database=self.settings.database,
                lake_bucket=self.settings.lake_bucket,
            ),
            now=self.now,
        )

    def transform(self, group: int = 0, fence: int | None = None) -> GroupResult:
        with tempfile.TemporaryDirectory() as scratch:
            return transform(
                self.folder(fence or self.fence),
                group,
                s3=self.services.s3,
                raw_bucket=self.settings.raw_bucket,
                limits=Limits(memory_bytes=256 << 20, threads=1),
                scratch=Path(scratch),
                timer=lambda: 0.0,
            )

    def publish(self, fence: int | None = None) -> Publication:
        with tempfile.TemporaryDirectory() as scratch:
            return publish(
                self.folder(fence or self.fence),
                catalog=self.services.catalog,
                database=self.settings.database,
                rewriting_for=partial(
                    rewriting,
                    s3=self.services.s3,
                    bucket=self.settings.lake_bucket,
                    scratch=Path(scratch),
                    limits=Limits(memory_bytes=256 << 20, threads=1),
                ),
                sleep=lambda _: None,
            )

    def settle(self, fence: int | None = None, outcome: Any = "published", error: str | None = None) -> Settled:
        fence = fence or self.fence
        return settle(
            self.folder(fence),
            run_id=f"{self.plan.dataset}-{fence}",
            outcome=outcome,
            error=error,
            ledger=self.ledger,
            events=self.services.events,
            database=self.settings.database,
            wake=self.wake,
            now=self.now + timedelta(seconds=30),
        )

    def reconcile(self) -> Reconciled:
        return reconcile(
            self.plan,
            s3=self.services.s3,
            glue=self.services.glue,
            raw_bucket=self.settings.raw_bucket,
            lake_bucket=self.settings.lake_bucket,
            database=self.settings.database,
            ledger=self.ledger,
            states=self.services.states,
            state_machine=self.settings.state_machine,
            wake=self.wake,
            now=self.now,
            lease_seconds=self.settings.lease_seconds,
        )

    def maintain(
        self, table: str = "", *, after: timedelta = timedelta(0), least: int = 2, scratch: Path | None = None
    ) -> Maintained:
        """One pass over a table, so long after now (moto's files and Iceberg's snapshots have real times)."""
        known = targets({"items": self.plan}, ["mart"])
        (target,) = [one for one in known if one.table == (table or self.plan.dataset)]
        with tempfile.TemporaryDirectory() as folder:
            return maintain(
                target,
                MaintenanceContext(
                    catalog=self.services.catalog,
                    s3=self.services.s3,
                    database=self.settings.database,
                    lake_bucket=self.settings.lake_bucket,
                    scratch=scratch or Path(folder),
                    limits=Limits(memory_bytes=256 << 20, threads=1),
                    retention=Retention(
                        snapshots=timedelta(days=21), orphans=timedelta(days=21), sizes=FileSizes(least=least)
                    ),
                    now=datetime.now(UTC) + after,
                    remaining=lambda: 900.0,
                    sleep=lambda _: None,
                ),
            )

    def run(self) -> Settled:
        """The run that has the lease, from claim to settle, as the state machine would do it."""
        fence = self.fence
        for group in self.claim(fence).groups:
            self.transform(group.index, fence)
        if not self.claim(fence).is_empty:
            self.publish(fence)
        settled = self.settle(fence)
        self.states.stop_execution(executionArn=self.execution(f"{self.plan.dataset}-{fence}"))
        return settled

    def load(self, *bodies: str) -> Settled:
        self.ingest(*bodies)
        return self.run()

    # ---- what is there

    def rows(self) -> list[tuple[Any, ...]]:
        table = self.services.catalog.load_table((self.settings.database, self.plan.dataset)).scan().to_arrow()
        return sorted(tuple(row[column.name] for column in self.plan.columns) for row in table.to_pylist())

    def ids(self) -> list[int]:
        return [row[0] for row in self.rows()]

    def rejects(self) -> list[dict[str, Any]]:
        table = self.services.catalog.load_table((self.settings.database, self.plan.rejects_table)).scan().to_arrow()
        return sorted(table.to_pylist(), key=lambda row: (row["object"], row["row_number"] or 0))

    def snapshots(self) -> int:
        return len(self.services.catalog.load_table((self.settings.database, self.plan.dataset)).snapshots())

    def states_of_loads(self) -> Sequence[str]:
        return sorted(load.state for load in self.ledger.loads(self.plan.dataset))

    def executions(self) -> Sequence[str]:
        found = self.states.list_executions(stateMachineArn=self.settings.state_machine)["executions"]
        return sorted(execution["name"] for execution in found)

    def execution(self, run_id: str) -> str:
        return f"{self.settings.state_machine.replace(':stateMachine:', ':execution:')}:{run_id}"


@contextmanager
def faults(
    world: World, *, at: int | None, when: str, crash: bool, effects: tuple[str, ...] = EFFECTS
) -> Iterator[list[str]]:
    """Number the calls with an effect that a fresh process makes, and let the one `at` fail.

    `when` is before or after the effect. `crash` kills the process, else the response is lost, once.
    """
    calls: list[str] = []

    def struck(name: str) -> bool:
        if not name.endswith(effects):
            return False
        calls.append(name)
        return len(calls) - 1 == at

    def before_send(request: Any, event_name: str, **_: Any) -> None:
        if not struck(event_name.removeprefix("before-send.")):
            return
        if when == "after":
            URLLib3Session().send(request)
        raise Crash if crash else ReadTimeoutError(endpoint_url=request.url)

    create = pyiceberg_io.PyArrowFile.create

    def created(self: Any, overwrite: bool = False) -> Any:
        if not struck("file.create"):
            return create(self, overwrite)
        if when == "after":
            create(self, overwrite).close()
        raise Crash if crash else OSError("the response was lost")

    world.restart()
    world.session.events.register("before-send", before_send)
    pyiceberg_io.PyArrowFile.create = created  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        pyiceberg_io.PyArrowFile.create = create  # type: ignore[method-assign]
        world.restart()
