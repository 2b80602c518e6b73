"""One dataset in a simulated AWS: what people do to the raw bucket, and the stages that answer, each in its processes.

The stages are called as the handlers in `lambdas/` call them. What must hold is in `invariants.py`.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.stepfunctions.models import stepfunctions_backends

from sluice.contract.plan import Column, PartitionField, Plan, Reading
from sluice.contract.repairs import name_of
from sluice.distributed.transform import PartSizes as Cuts
from sluice.distributed.transform import transform as transform_distributed
from sluice.kernel.outcome import Limits
from sluice.lake.compaction import FileSizes
from sluice.lake.tables import ensure
from sluice.lake.versions import list_key
from sluice.ledger.model import Load
from sluice.stages.claim import claim
from sluice.stages.environment import StageSettings
from sluice.stages.ingest import ingest
from sluice.stages.maintain import Maintained, MaintenanceContext, Retention, maintain, targets
from sluice.stages.publish import publish
from sluice.stages.reconcile import reconcile
from sluice.stages.replay import LoadFilter, replay, select
from sluice.stages.rewrite import rewriting
from sluice.stages.services import Services
from sluice.stages.settle import settle
from sluice.stages.transform import transform
from sluice.stages.wake import run_input, wake
from stacks.machines.run import run_definition
from tests.simulation import model
from tests.simulation.aws import REGION, aws
from tests.simulation.gate import Fault, Gate, Process, Scheduler, current
from tests.simulation.local_spark import LocalSpark
from tests.simulation.machine import Execution

DATASET = "items"
RAW, LAKE, LEDGER, DATABASE = "raw", "lake", "ledger", "lake"
RUN_TIMEOUT = 6 * 3600
_LIMITS = Limits(memory_bytes=128 << 20, threads=1)
_PATIENCE = timedelta(hours=12)  # until a snapshot or an orphan may go
_VISIBILITY = 360.0  # seconds until a message comes again
_RECEIVES = 5  # then it is a dead letter

V1 = Plan(
    dataset=DATASET,
    version="1.0.0",
    mode="append",
    primary_key=("id",),
    columns=(
        Column(name="id", source="id", type="long", cast='TRY_CAST("id" AS BIGINT)', required=True, expected="long"),
        Column(name="day", source="day", type="date", cast='TRY_CAST("day" AS DATE)', expected="date"),
        Column(name="amount", source="amount", type="int", cast='TRY_CAST("amount" AS INTEGER)', expected="int"),
    ),
    partition=(PartitionField(column="day", transform="month", name="day_month"),),
)
V2 = replace(
    V1,
    version="2.0.0",
    columns=(*V1.columns, Column(name="note", source="note", type="string", cast='"note"', expected="string")),
    reading=Reading(missing_columns="null"),
)


# What a reconciler that does not look would say.
IDLE = SimpleNamespace(registered=0, reopened=0, gone=0, waiting=0, broken_lease=None, forgotten_fence=None)


@cache
def services() -> Services:
    """The clients of this operating system process; the stages find in them what AWS remembers, and nothing else."""
    settings = StageSettings(raw_bucket=RAW, lake_bucket=LAKE, ledger_table=LEDGER, database=DATABASE)
    made = Services(settings, session=aws().session, sleep=aws().sleep)
    made.catalog.properties["py-io-impl"] = "tests.simulation.aws.GateIO"
    return made


@dataclass
class World:
    """A fresh AWS with one dataset in it."""

    seed: int
    mode: Any
    on_delete: Any
    faults: tuple[Fault, ...] = ()
    distributed: bool = False
    stickiness: float = 0.8
    twins: float = 0.0
    delivered: list[model.Version] = field(default_factory=list)
    ever: list[model.Version] = field(default_factory=list)  # with what was erased since
    events: list[str] = field(default_factory=list)
    outbox: list[str] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    reconciled: list[Any] = field(default_factory=list)
    maintained: list[Maintained] = field(default_factory=list)
    restored: bool = False
    spark: Callable[[Any], Any] = lambda work: work(LocalSpark(), lambda: services().s3)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.scheduler = Scheduler(random.Random(self.seed + 1), stickiness=self.stickiness)
        self.gate = Gate(self.scheduler, self.faults)
        aws().reset(self.gate, self.seed)
        table_mode = "merge" if self.mode in model.MERGING else self.mode
        self.plan = replace(V1, mode=table_mode, on_delete=self.on_delete)
        if self.mode == "merge":
            self.plan = replace(self.plan, sequence_by="amount")
        self.at = services()
        self.s3, self.ledger = self.at.s3, self.at.ledger
        for bucket in (RAW, LAKE):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket=RAW, VersioningConfiguration={"Status": "Enabled"})
        self.at.catalog.glue.create_database(DatabaseInput={"Name": DATABASE})
        aws().session.client("dynamodb").create_table(
            TableName=LEDGER,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.definition = run_definition(
            timeout=RUN_TIMEOUT, concurrency=10, claim=300, transform=900, publish=900, settle=120, glue=3600
        )
        self.machine = self.at.states.create_state_machine(
            name="pipeline",
            roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/any",
            definition=json.dumps(self.definition),
        )["stateMachineArn"]
        self.settings = replace(
            self.at.settings,
            state_machine=self.machine,
            run_timeout=RUN_TIMEOUT,
            group_max_objects=2,
            lambda_max_bytes=40 if self.distributed else 1 << 20,
            max_attempts=8,
        )
        self.back_up()
        self.gate.observers.append(lambda call: self._start() if call.operation == "StartExecution" else None)

    # ---- what people do

    def put(self, name: str, body: bytes, *, tell: bool = True, hold: bool = False, delay: float = 0.0,
            place: tuple[Any, ...] = ()) -> None:  # fmt: skip
        """Upload an object. `tell`: S3's event arrives after `delay`; `hold`: it waits for the next one's batch."""
        version = self.s3.put_object(Bucket=RAW, Key=f"{DATASET}/{name}", Body=body)["VersionId"]
        self._happened(name, version, body, "Object Created", {}, tell=tell, hold=hold, delay=delay, place=place)

    def delete(self, name: str, *, tell: bool = True, hold: bool = False, delay: float = 0.0) -> None:
        """Hide an object behind a delete marker."""
        if not any(version.key == f"{DATASET}/{name}" for version in self.delivered):
            return  # S3 would make a marker all the same, moto makes none
        version = self.s3.delete_object(Bucket=RAW, Key=f"{DATASET}/{name}")["VersionId"]
        more = {"deletion-type": "Delete Marker Created"}
        self._happened(name, version, None, "Object Deleted", more, tell=tell, hold=hold, delay=delay)

    def mend(self, at: int, *, tell: bool = True) -> None:
        """Somebody repairs the rejected records of a version, and uploads them as the command names such a file."""
        broken = [(one, lines) for one in self.delivered if (lines := _repaired(one.body))]
        if not broken:
            return
        version, lines = broken[at % len(broken)]
        found = list_key(self.s3, bucket=RAW, key=version.key).find(version.version)
        assert found is not None
        name = name_of(key=version.key, version_id=version.version, order=found.order, suffix=".csv")
        self.put(name, lines, tell=tell, place=version.age[:3])

    def erase(self, name: str, which: int, *, tell: bool = True) -> None:
        """Delete a version for good: -1 the newest, 0 the oldest."""
        key = f"{DATASET}/{name}"
        there = [version for version in self.delivered if version.key == key]
        if there:
            gone = there[which % len(there)]
            self.s3.delete_object(Bucket=RAW, Key=key, VersionId=gone.version)
            self.delivered.remove(gone)
            if tell:
                more = {"deletion-type": "Permanently Deleted"}
                self.send([self._event(key, gone.version, 0, "Object Deleted", more)], delay=0.0)

    def repeat(self, at: int) -> None:
        """Let an earlier event arrive once more."""
        if self.events:
            self.send([self.events[at % len(self.events)]], delay=0.0)

    def by_hand(self, back: int) -> None:
        """Somebody starts the newest run, or one before it, once more under another name."""
        lease = self.ledger.lease(DATASET)
        fence = lease.fence - back
        if fence > 0:
            again = run_input(replace(lease, fence=fence, run_id=f"{DATASET}-{fence}"))
            name = f"by-hand-{len(self.ended)}-{len(self.gate.calls)}"
            self.at.states.start_execution(stateMachineArn=self.machine, name=name, input=again)
            self._start()

    def change_contract(self) -> None:
        """Deploy the second contract; runs in flight keep theirs."""
        new = replace(self.plan, version=V2.version, columns=V2.columns, reading=V2.reading)
        self.plan = new

    def replay(self, at: int) -> None:
        """Ask for a load that is settled once more."""

        def work() -> None:
            loads = select(self.ledger.loads(DATASET), LoadFilter())
            if loads:
                replay(DATASET, [loads[at % len(loads)]], ledger=self.ledger, wake=self._wake)

        self.scheduler.spawn("replay", "replay", work)

    def back_up(self) -> None:
        """Remember the ledger as it is."""
        self.backup = copy.deepcopy(_items(LEDGER).items)

    def restore(self) -> None:
        """Put the ledger back to where it was remembered, once nothing is under way; what came since is forgotten."""
        while self.scheduler.busy:
            self.scheduler.run(until=self.scheduler.clock + 1.0)
        _items(LEDGER).items = copy.deepcopy(self.backup)
        self.restored = True

    def maintain(self) -> None:
        """The daily pass over both tables: compaction, expiry, orphans. Its patience outlasts every standing still."""

        def work() -> None:
            for target in targets({DATASET: self.plan}, []):
                with tempfile.TemporaryDirectory() as scratch:
                    self.maintained.append(maintain(target, self._maintenance_context(Path(scratch))))

        self.scheduler.spawn("maintain", "maintain", work)

    def _maintenance_context(self, scratch: Path) -> MaintenanceContext:
        return MaintenanceContext(
            catalog=self.at.catalog,
            s3=self.s3,
            database=DATABASE,
            lake_bucket=LAKE,
            scratch=scratch,
            limits=_LIMITS,
            retention=Retention(
                snapshots=_PATIENCE, orphans=_PATIENCE, grace=timedelta(hours=1), sizes=FileSizes(least=2)
            ),
            now=aws().now(),
            remaining=lambda: 900.0,
            sleep=self.scheduler.sleep,
        )

    def send(self, bodies: list[str], *, delay: float) -> None:
        """Deliver a batch of messages, again and again until it is accepted or is a dead letter."""
        self.scheduler.spawn("queue", "queue", lambda: self._deliver(bodies, delay))

    def flush(self) -> None:
        """Send what was held."""
        if self.outbox:
            self.send(self.outbox, delay=0.0)
            self.outbox = []

    def tick(self) -> Process:
        """The reconciler's schedule fires."""
        return self.scheduler.spawn("reconcile", "reconcile", self._reconcile)

    # ---- the stages, as their handlers call them

    def invoke(self, function: str, payload: dict[str, Any]) -> Any:
        """Run a function or job of the state machine."""
        process = current()
        assert process is not None
        process.stage = function.strip("${}").lower().replace("job", "transform-glue")
        stages: dict[str, Callable[[dict[str, Any]], Any]] = {
            "${Claim}": self._claim,
            "${Transform}": self._transform,
            "${Job}": self._transform_glue,
            "${Publish}": self._publish,
            "${Settle}": self._settle,
        }
        return stages[function](payload)

    def _ingest(self, messages: list[tuple[str, str]]) -> tuple[str, ...]:
        done = ingest(
            messages, ledger=self.ledger, plans={DATASET: self.plan}, raw_bucket=RAW, account=DEFAULT_ACCOUNT_ID,
            wake=self._wake, now=aws().now(),
        )  # fmt: skip
        return done.failed

    def _claim(self, event: dict[str, Any]) -> dict[str, Any]:
        run = {name: event[name] for name in ("dataset", "fence", "run_id")}
        made = claim(
            self.at.run_folder(run["dataset"], run["fence"]),
            run_id=run["run_id"],
            plan=self.plan,
            s3=self.s3,
            ledger=self.ledger,
            settings=self.settings,
            ensure_tables=partial(ensure, self.at.catalog, database=DATABASE, lake_bucket=LAKE),
            now=aws().now(),
        )
        groups = [{"group": group.index, "engine": group.engine} for group in made.groups]
        return {**run, "groups": groups, "empty": made.is_empty}

    def _transform(self, event: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            result = transform(
                self.at.run_folder(event["dataset"], event["fence"]),
                event["group"],
                s3=self.s3,
                raw_bucket=RAW,
                limits=_LIMITS,
                scratch=Path(scratch),
                timer=lambda: self.scheduler.clock,
            )
        return {"group": result.group}

    def _transform_glue(self, arguments: dict[str, str]) -> None:
        self.spark(
            lambda spark, connect: transform_distributed(
                self.at.run_folder(arguments["--dataset"], int(arguments["--fence"])),
                int(arguments["--group"]),
                spark=spark,
                connect=connect,
                raw_bucket=RAW,
                limits=_LIMITS,
                sizes=Cuts(part=24, least_part=24, bucket=64),
                timer=lambda: self.scheduler.clock,
            )
        )

    def _publish(self, event: dict[str, Any]) -> dict[str, Any]:
        folder = self.at.run_folder(event["dataset"], event["fence"])
        with tempfile.TemporaryDirectory() as scratch:
            done = publish(
                folder,
                catalog=self.at.catalog,
                database=DATABASE,
                rewriting_for=partial(rewriting, s3=self.s3, bucket=LAKE, scratch=Path(scratch), limits=_LIMITS),
                sleep=self.scheduler.sleep,
            )
        return {"changed": done.changed}

    def _settle(self, event: dict[str, Any]) -> dict[str, Any]:
        error = event.get("error")
        done = settle(
            self.at.run_folder(event["dataset"], event["fence"]),
            run_id=event["run_id"],
            outcome=event["outcome"],
            error=error if error is None else f"{error['Error']}: {error['Cause']}",
            ledger=self.ledger,
            events=self.at.events,
            database=self.at.settings.database,
            wake=self._wake,
            now=aws().now(),
        )
        return {"state": done.state, "failed_groups": done.failed_groups, "next_run": done.next_run}

    def _reconcile(self) -> None:
        self.reconciled.append(
            reconcile(
                self.plan,
                s3=self.s3,
                glue=self.at.glue,
                raw_bucket=RAW,
                lake_bucket=LAKE,
                database=DATABASE,
                ledger=self.ledger,
                states=self.at.states,
                state_machine=self.machine,
                wake=self._wake,
                now=aws().now(),
                lease_seconds=self.settings.lease_seconds,
            )
        )

    def _wake(self, dataset: str) -> Any:
        return wake(
            dataset,
            ledger=self.ledger,
            states=self.at.states,
            state_machine=self.machine,
            now=aws().now(),
            lease_seconds=self.settings.lease_seconds,
        )

    # ---- what AWS does

    def _start(self) -> None:
        """Begin the executions that have been started."""
        (machine,) = stepfunctions_backends[DEFAULT_ACCOUNT_ID][REGION].state_machines
        for started in machine.executions:
            if started.name not in self.ended:
                self.ended[started.name] = "RUNNING"
                self.scheduler.spawn(started.name, "machine", partial(self._execute, started))

    def _execute(self, started: Any) -> None:
        execution = Execution(
            self.definition,
            started.name,
            self.machine,
            self.invoke,
            self.scheduler,
            random.Random(f"{self.seed} {started.name}"),
            self.twins,
        )
        data = json.loads(started.execution_input)
        walking = self.scheduler.spawn(f"{started.name}/walk", "machine", lambda: execution.walk(data))
        if not self.scheduler.wait(lambda: walking.done, seconds=RUN_TIMEOUT):
            execution.end(walking)
        if walking.error is not None:
            raise walking.error
        self.ended[started.name] = walking.result or "TIMED_OUT"
        started.stop(stop_date=aws().now(), error="", cause="")

    def _deliver(self, bodies: list[str], delay: float) -> None:
        self.scheduler.sleep(delay)
        waiting = [(f"m{at}", body) for at, body in enumerate(bodies)]
        for _ in range(_RECEIVES):
            batch = list(waiting)
            process = self.scheduler.spawn("ingest", "ingest", lambda batch=batch: self._ingest(batch))
            in_time = self.scheduler.wait(lambda p=process: p.done, seconds=60.0)
            if in_time and not process.dead and process.error is None:
                waiting = [message for message in waiting if message[0] in process.result]
            elif process.error is not None and not isinstance(process.error, Exception):
                raise process.error
            if not waiting:
                return
            self.scheduler.sleep(_VISIBILITY)
        self.dead_letters += [body for _, body in waiting]

    def _happened(
        self, name: str, version: str, body: bytes | None, kind: str, more: dict[str, str],
        *, tell: bool, hold: bool, delay: float, place: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        key = f"{DATASET}/{name}"
        second = int(self.scheduler.clock)
        ordinal = sum(known.key == key and known.at == second for known in self.delivered)
        age = (*place, second, model.sign(key), ordinal) if place else (second, key, ordinal)
        self.delivered.append(model.Version(key, version, age, body, at=second))
        self.ever.append(self.delivered[-1])
        if tell:
            event = self._event(key, version, len(body or b""), kind, more)
            self.events.append(event)
            self.outbox.append(event)
            if delay:
                self.outbox.pop()
                self.send([event], delay=delay)
            elif not hold:
                self.flush()

    def _event(self, key: str, version: str, size: int, kind: str, more: dict[str, str]) -> str:
        item = {"key": key, "version-id": version, "size": size, "sequencer": "00"}
        detail = {"bucket": {"name": RAW}, "object": item, **more}
        return json.dumps({"detail-type": kind, "source": "aws.s3", "account": DEFAULT_ACCOUNT_ID, "detail": detail})


def _repaired(body: bytes | None) -> bytes:
    """Write the records of an object that were rejected, with what is wrong in them put right; nothing without any."""
    if body is None:
        return b""
    found = model.read(body, contract=V2.version, mode="merge")
    records = {record for record, _, _ in found.rejects if record is not None}
    lines = body.decode().splitlines() if records else []
    fixed = [
        ",".join([cells[0] if cells[0].isdigit() else "7", "2024-01-10", "4"])
        for at, line in enumerate(lines)
        if at in records and (cells := line.split(","))
    ]
    return ("id,day,amount\n" + "".join(f"{line}\n" for line in fixed)).encode() if fixed else b""


def _items(table: str) -> Any:
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[table]


def contract_of(loads: list[Load]) -> Callable[[model.Version], str]:
    """Under which contract a version was settled, as the ledger has it."""
    known = {(load.key, load.version_id): load.contract for load in loads}
    return lambda version: known.get((version.key, version.version)) or V1.version
