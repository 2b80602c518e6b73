"""An AWS in this process: the stacks of a cloud assembly deployed on moto, and everything between them delivered.

This module only puts the parts together and answers questions about what happened. One cloud at a time in a process,
because moto's state is global.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from moto.awslambda.models import lambda_backends
from moto.core.config import default_user_config
from moto.iam.models import iam_backends
from moto.moto_api._internal import moto_api_backend
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from sluice.local.clock import Clock
from sluice.local.deployer import Changes, Deployment, deploy, of_kind, region_of, update
from sluice.local.faults import Fault
from sluice.local.gateway import Call, Gateway, keep_nothing
from sluice.local.pace import Pace
from sluice.local.permissions import acting, evaluator
from sluice.local.permissions.guard import Guard
from sluice.local.permissions.needs import Need, Place
from sluice.local.polling import Polling
from sluice.local.principals import ACCOUNT, ADMINISTRATOR, CLOUDFORMATION, Principals
from sluice.local.pump import Chaos, Pump, Undelivered
from sluice.local.request import Request
from sluice.local.resources.compute import code_folder
from sluice.local.seams import (
    athena_queries,
    bucket_policies,
    dynamodb_transactions,
    eventbridge_targets,
    glue_jobs,
    glue_version,
    lambda_workers,
    module_list,
    patch,
    s3_events,
    sqs_queues,
    stepfunctions,
)
from sluice.local.services import ComputeServices
from sluice.local.state.state import State
from sluice.local.workers import Invocation
from sluice.prices import Usage, billed_bytes, billed_dpu_seconds

STEP_FUNCTIONS = "states.amazonaws.com"
# The interpreter asks where AWS is told: no call there.
_POLLS = frozenset({("glue", "GetJobRun"), ("athena", "GetQueryExecution")})
_LOOK_EVERY = 0.05
_LOCAL_DPU = 2.0  # this machine's two cores are rather less than the two smallest workers
_ONE = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of a state machine. `machine` is its name."""

    name: str
    arn: str
    machine: str
    status: str
    started: datetime
    stopped: datetime | None
    input: Any
    output: Any
    error: str
    cause: str
    transitions: int


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Messages, invocations and executions in progress."""

    messages: int
    deliveries: int
    executions: int
    functions: int
    jobs: int
    queries: int

    @property
    def quiet(self) -> bool:
        """True when no message, invocation or execution is in progress."""
        return not any(vars(self).values())

    def __str__(self) -> str:
        busy = [f"{count} {name}" for name, count in vars(self).items() if count]
        return ", ".join(busy) or "nothing"


class LocalCloud:
    """The offline AWS as a context manager: entering deploys `assembly`, leaving ends every process.

    `data` keeps logs and workers' files; without it they are temporary. `keep` is a folder for what outlives the
    process (objects, tables, ledger, parameters), which the next one with the same folder begins with. Every call is
    decided against the templates' policies, unless `enforce` is False or the policy evaluator is not installed:
    `enforced` says which.
    """

    def __init__(
        self, assembly: Path, *, data: Path | None = None, pace: Pace | None = None, chaos: Chaos | None = None,
        progress: Callable[[str], None] | None = None, enforce: bool = True, keep: Path | None = None,
    ) -> None:  # fmt: skip
        self.enforced = enforce and evaluator.installed() is not None
        self._assembly, self._data, self._progress, self._keep = assembly, data, progress, keep
        self._temporary: Path | None = None
        self.pace, self._chaos = pace or Pace(), chaos
        self.region = region_of(assembly)

    def __enter__(self) -> Self:
        if not _ONE.acquire(blocking=False):
            raise RuntimeError("moto's state is global: only one LocalCloud at a time in a process")
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        folder = self._data or Path(tempfile.mkdtemp(prefix="sluice-cloud-"))
        self._temporary = None if self._data else folder
        logging.getLogger("moto").addHandler(logging.NullHandler())  # it logs every failed state at length
        default_user_config["iam"]["load_aws_managed_policies"] = False  # a second for each partition of AWS
        moto_api_backend.reset()
        default_user_config["iam"]["load_aws_managed_policies"] = True
        iam_backends[ACCOUNT]["aws"].reset()
        self.gateway = Gateway()
        self.endpoint = self.gateway.endpoint
        self.principals = Principals(endpoint=self.endpoint, region=self.region)
        self.gateway.name_of = self.principals.name_of
        place = Place(account=ACCOUNT, region=self.region, workgroup_of=athena_queries.workgroup_of(self.region))
        self.guard = Guard(place) if self.enforced else None
        if self.guard:
            self.gateway.authorize, self.gateway.missing = self._authorize, self.guard.missing
        self.pump = Pump(self.principals, pace=self.pace, chaos=self._chaos)
        self.services = ComputeServices(self.principals, self.pump, folder=folder, may=self._may)
        self._install_seams()
        self.gateway.start()
        self.deployment: Deployment = deploy(
            self._assembly, account=ACCOUNT, region=self.region, progress=self._progress,
            client=lambda service: self.principals.client(CLOUDFORMATION, service),
        )  # fmt: skip
        self._deployed()
        if self._keep:
            ssm = self.principals.client(CLOUDFORMATION, "ssm")
            self.state = State(self._keep, region=self.region, ssm=ssm)
            self.gateway.keep = self.state.note
            if self.state.restored:  # what was under way when the process ended goes on
                self.pump.tick("reconcile")
        self.polling = Polling(self.principals, invoke=self.services.invoke_now, pace=self.pace)
        self.polling.start()

    def _deployed(self) -> None:
        """Tell every part which resources are deployed."""
        self.services.assets = self.deployment.assets
        self.services.log_groups = {
            function.created.ref: function.created.attributes["LogGroup"]
            for function in of_kind(self.deployment.resources, "AWS::Lambda::Function")
        }
        if self.guard:
            self.guard.paths |= {
                role.created.attributes["Arn"]: _construct(role.path)
                for role in of_kind(self.deployment.resources, "AWS::IAM::Role")
            }
            for machine in stepfunctions_parser_backends[ACCOUNT][self.region].state_machines:
                self.guard.ask(machine.roleArn, acting.for_log_delivery(machine))

    def apply(self, assembly: Path) -> Changes:
        """Update the deployed resources to another assembly, in place. Its folder must stay.

        Raises:
            UnsupportedTemplate: it asks for a change that only a new start can make. Then nothing was changed.
        """
        self.deployment, changes = update(
            assembly, self.deployment, account=ACCOUNT,
            client=lambda service: self.principals.client(CLOUDFORMATION, service),
        )  # fmt: skip
        self._deployed()
        return changes

    def plans(self) -> Mapping[str, str]:
        """The compiled contracts that are deployed: texts by dataset."""
        for function in lambda_backends[ACCOUNT][self.region].list_functions():
            folder = code_folder(function.code_bytes) / "plans"
            if folder.is_dir():
                return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
        return {}

    def _install_seams(self) -> None:
        glue_version.install()
        bucket_policies.install()
        module_list.install()
        dynamodb_transactions.install()
        sqs_queues.install()
        s3_events.install(self.pump.on_s3)
        eventbridge_targets.install(self.pump.on_match)
        lambda_workers.install(self.services.invoke)
        glue_jobs.install(self.services.start_job)
        athena_queries.install(self.services.start_query)
        stepfunctions.install(
            lambda role, service: self.principals.client(role, service, service=STEP_FUNCTIONS),
            self.pace,
            self.services.execution_ended,
        )

    def _authorize(self, request: Request, principal: str) -> str | None:
        if self.guard is None:
            return None
        return self.guard.authorize(request, principal, self.principals.source_of(request.access_key))

    def _may(self, principal: str, needs: Sequence[Need]) -> str | None:
        """Ask whether a service may act for a role where no call passes the gateway."""
        return self.guard.ask(principal, needs) if self.guard else None

    def close(self) -> None:
        """End pollers, deliveries, executions, workers and the gateway."""
        for execution in self._executions():
            if execution.status == "RUNNING":  # or it would go on in the next cloud of this process
                execution.stop(stop_date=datetime.now(UTC), error="", cause="the offline AWS has ended")
        for part in ("clock", "polling", "pump", "services"):
            if hasattr(self, part):
                getattr(self, part).close()
        if hasattr(self, "gateway"):
            self.gateway.stop()
        if hasattr(self, "state"):
            self.gateway.keep = keep_nothing  # requests under way may outlast the gateway
            self.state.close()
        stepfunctions.uninstall()
        patch.restore()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
        _ONE.release()

    # -- for users

    def environment(self) -> dict[str, str]:
        """Return the variables for a shell: endpoint, credentials, the stacks' outputs, the functions' names."""
        shared = {f"SLUICE_{_snake(name)}": str(value) for name, value in self.outputs.items()}
        for function in lambda_backends[ACCOUNT][self.region].list_functions():
            shared |= {name: value for name, value in function.environment_vars.items() if name.startswith("SLUICE_")}
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **self.principals.credentials(ADMINISTRATOR).environment(),
            **shared,
        }

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stacks' outputs by name."""
        return {name: value for outputs in self.deployment.outputs.values() for name, value in outputs.items()}

    def client(self, service: str) -> Any:
        """An SDK client of the administrator."""
        return self.principals.client(ADMINISTRATOR, service)

    def logs(self, function: str) -> str:
        """Return the output of a function or Glue job. `function` is its name or a part of its path."""
        return self.services.log(self.find(function, "AWS::Lambda::Function", "AWS::Glue::Job"))

    def find(self, words: str, *kinds: str) -> str:
        """The physical name of the one resource of these types whose name or construct path contains `words`."""
        plain = words.lower().replace("-", "")
        found = {
            resource.created.ref
            for resource in self.deployment.resources
            if resource.kind in kinds
            and any(plain in text.lower().replace("-", "") for text in (resource.created.ref, resource.path))
        }
        if len(found) != 1:
            raise LookupError(f"{words!r} names {len(found)} of {', '.join(kinds)}: {sorted(found)}")
        return found.pop()

    # -- what happens

    def inject(self, fault: Fault) -> None:
        """Make a call fail."""
        self.gateway.faults.inject(fault)

    def tick(self, schedule: str) -> None:
        """Let a schedule fire now. Raises LookupError where none has that name."""
        if not self.pump.tick(schedule):
            raise LookupError(f"no schedule is named {schedule!r}")

    def start_clock(self) -> None:
        """From now on let schedules fire by themselves."""
        self.clock = Clock(self.pump.schedules, self.pump.tick)
        self.clock.start()

    def duplicate_event(self, *, bucket: str, key: str) -> None:
        """Deliver the last event of an object once more."""
        self.pump.duplicate(bucket, key)

    def wait_until_quiet(self, timeout: float = 60, progress: Callable[[Activity], None] | None = None) -> None:
        """Wait until nothing is in progress. Raises TimeoutError with the rest."""
        deadline, before = time.monotonic() + timeout, -1
        while True:
            activity, calls = self.activity(), self.gateway.served
            # Work passes from part to part by calls: two quiet looks with no call between them mean it is over.
            if activity.quiet and calls == before:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout:.0f} s still under way: {activity}")
            if progress:
                progress(activity)
            before = calls if activity.quiet else -1
            time.sleep(_LOOK_EVERY)

    # -- what happened

    def activity(self) -> Activity:
        """Count the messages, invocations and executions in progress now."""
        deliveries = 0 if self.pump.idle else max(1, self.pump.in_flight)
        return Activity(
            messages=self.polling.waiting,
            deliveries=deliveries,
            executions=sum(_status(execution) == "RUNNING" for execution in self._executions()),
            functions=self.services.lambdas.running,
            jobs=self.services.jobs,
            queries=self.services.queries,
        )

    @property
    def calls(self) -> Sequence[Call]:
        """Every call that reached the gateway, oldest first."""
        return list(self.gateway.calls)

    @property
    def undelivered(self) -> Sequence[Undelivered]:
        """Events and asynchronous invocations that were given up."""
        return list(self.pump.undelivered)

    @property
    def invocations(self) -> Sequence[Invocation]:
        """Every Lambda invocation that has ended."""
        return list(self.services.lambdas.invocations)

    def executions(self) -> Sequence[Execution]:
        """Every execution, oldest first."""
        return sorted(map(_described, self._executions()), key=lambda execution: execution.started)

    def work(self) -> Usage:
        """Return the work done, as AWS would charge it."""
        invocations = self.invocations
        counts = self.gateway.counts(without=(ADMINISTRATOR, CLOUDFORMATION))
        return Usage(
            calls={".".join(call): count for call, count in counts.items() if call not in _POLLS},
            requests=len(invocations),
            gb_seconds=sum(call.seconds * call.memory / 1024 for call in invocations),
            transitions=sum(execution.transitions for execution in self.executions()),
            dpu_seconds=sum(billed_dpu_seconds(done.seconds, _LOCAL_DPU) for done in self.services.glue.outcomes),
            bytes_scanned=sum(map(billed_bytes, self.services.scanned)),
            events=self.pump.events,
        )

    def _executions(self) -> list[Any]:
        machines = stepfunctions_parser_backends[ACCOUNT][self.region].state_machines
        return [execution for machine in list(machines) for execution in list(machine.executions)]


def _construct(path: str) -> str:
    """`sluice-dev-flow/Pipeline/Claim/Role/Resource` as `Pipeline/Claim/Role`."""
    return path.partition("/")[2].removesuffix("/Resource")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _status(execution: Any) -> str:
    return str(execution.status) if execution.exec_status else "RUNNING"  # moto sets it a moment after it is listed


def _described(execution: Any) -> Execution:
    history = execution.to_history_output()["events"] if execution.exec_worker else []
    return Execution(
        name=execution.name,
        arn=execution.execution_arn,
        machine=execution.state_machine.name,
        status=_status(execution),
        started=execution.start_date,
        stopped=execution.stop_date,
        input=execution.input_data,
        output=execution.output,
        error=execution.error or "",
        cause=execution.cause or "",
        transitions=sum(str(event.get("type", "")).endswith("StateEntered") for event in history),
    )
