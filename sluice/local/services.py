"""The execution that moto leaves out of Lambda, Glue, Athena and Step Functions: from its objects to our workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.local.glue_worker import GlueWorkers, JobRun
from sluice.local.permissions import acting
from sluice.local.permissions.needs import Need
from sluice.local.principals import Principals
from sluice.local.pump import Pump
from sluice.local.resources.compute import code_folder
from sluice.local.results import as_csv, as_text
from sluice.local.seams.athena_queries import Query, QueryOutcome
from sluice.local.seams.lambda_workers import Answer
from sluice.local.workers import Function, LambdaWorkers

if TYPE_CHECKING:
    from sluice.local.athena import Scans

GLUE = "glue.amazonaws.com"
_KEPT_BYTES = 256 << 20  # of one caller's scans


# Why a role may not do what a service is about to do for it; None where it may.
May = Callable[[str, Sequence[Need]], str | None]


class ComputeServices:
    """Lambda functions, Glue jobs and Athena queries of one cloud."""

    def __init__(self, principals: Principals, pump: Pump, *, folder: Path, may: May) -> None:
        self._principals, self._pump, self._may = principals, pump, may
        place = {"endpoint": principals.endpoint, "region": principals.region}
        self.lambdas = LambdaWorkers(**place, folder=folder, credentials_of=principals.credentials)
        self.glue = GlueWorkers(**place, folder=folder)
        self.assets: Mapping[tuple[str, str], Path] = {}
        self.log_groups: Mapping[str, str] = {}  # of functions that name one
        self.scanned: list[int] = []  # bytes by query
        self.jobs = 0
        self.queries = 0
        self._count, self._one_query = threading.Lock(), threading.Lock()
        self._scans: dict[str, Scans] = {}  # by caller

    def close(self) -> None:
        """End all processes."""
        self.lambdas.close()
        self.glue.close()

    def log(self, name: str) -> str:
        """Return the output of a function or job."""
        files = (self.lambdas.log_file(name), self.glue.log_file(name))
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    # -- Lambda

    def invoke(self, function: Any, payload: str, asynchronous: bool) -> Answer:
        """Invoke a function that moto knows; asynchronously, return at once."""
        if asynchronous:
            self._pump.invoke_later(function.function_name, lambda: self.invoke_now(function, payload))
            return Answer("")
        return self.invoke_now(function, payload)

    def invoke_now(self, function: Any, payload: str) -> Answer:
        """Invoke and wait.

        A function without logging permissions still runs, as on AWS; only its log and trace are lost.
        """
        group = self.log_groups.get(function.function_name) or f"/aws/lambda/{function.function_name}"
        self._may(function.role, acting.for_function(function, group, self._principals.region))
        return self.lambdas.invoke(_function(function), payload)

    # -- Glue

    def start_job(self, job: Any, run: Any) -> None:
        """Begin a job run; its state follows the process."""
        extra = run.arguments.get("--extra-py-files", "")
        started = JobRun(
            job=job.name,
            run_id=run.job_run_id,
            script=self._asset(job.command["ScriptLocation"]),
            extra=tuple(self._asset(place) for place in extra.split(",") if place),
            arguments=tuple(run.arguments.items()),
            timeout=60.0 * float(run.timeout or job.timeout or 2880),
        )
        role = _role_arn(job.role, self._principals)
        credentials = self._principals.credentials(role, service=GLUE)
        code = [job.command["ScriptLocation"], *(place for place in extra.split(",") if place)]

        def work() -> None:
            self._may(role, acting.for_job_log(self._principals.region))
            denied = self._may(role, acting.for_job_code(code))
            outcome = self.glue.refuse(started, denied) if denied else self.glue.run(started, credentials)
            run.sluice_seconds, run.sluice_error = outcome.seconds, outcome.error
            run.status = outcome.state
            detail = {"jobName": job.name, "jobRunId": run.job_run_id, "state": run.status, "message": outcome.error}
            self._pump.emit("aws.glue", "Glue Job State Change", detail, job.arn)

        self._beside("jobs", work)

    def _asset(self, address: str) -> Path:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return self.assets[bucket, key]

    # -- Step Functions

    def execution_ended(self, execution: Any) -> None:
        """Tell EventBridge, as Step Functions does, which traces with the rights of the machine's role."""
        self._may(execution.state_machine.roleArn, acting.for_trace(execution.state_machine))
        detail = {
            "executionArn": execution.execution_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": str(execution.status),
        }
        self._pump.emit("aws.states", "Step Functions Execution Status Change", detail, execution.execution_arn)

    # -- Athena

    def start_query(self, query: Query, finish: Callable[[QueryOutcome], None]) -> None:
        """Begin a query on DuckDB."""

        def work() -> None:
            try:
                outcome = self._answer(query)
            except Exception as error:  # noqa: BLE001  (whatever it is, the query fails with it)
                refused = type(error).__name__ == "AthenaError"  # not imported yet if importing it failed
                outcome = QueryOutcome(error=str(error) if refused else f"GENERIC_INTERNAL_ERROR: {error!r}")
            self.scanned.append(outcome.scanned)
            finish(outcome)

        self._beside("queries", work)

    def _answer(self, query: Query) -> QueryOutcome:
        from sluice.local.athena import Scans, execute  # noqa: PLC0415  (DuckDB and sqlglot: not before they are needed)

        known = self._principals.given(query.access_key)  # Athena reads and writes as whoever asks
        bucket, _, key = query.output.removeprefix("s3://").partition("/")
        s3 = self._principals.client_of(query.access_key, "s3")
        if query.output:
            s3.get_bucket_location(Bucket=bucket)  # Athena looks where the results will go before it begins
        with self._one_query:  # DuckDB uses all processors for one anyway
            # What one caller has read is not there for another one, who may not be allowed to.
            scans = self._scans.setdefault(self._principals.name_of(query.access_key), Scans(limit=_KEPT_BYTES))
            result = execute(
                query.sql,
                database=query.database,
                endpoint=self._principals.endpoint,
                region=self._principals.region,
                credentials=(known.access_key, known.secret_key, known.token),
                scans=scans,
            )
        rows = [[as_text(value) for value in row] for row in result.rows]
        if query.output:
            body = as_csv([name for name, _ in result.columns], rows) if result.columns else b""
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        return QueryOutcome(columns=result.columns, rows=rows, statement=result.statement, scanned=result.scanned)

    def _beside(self, counter: str, work: Callable[[], None]) -> None:
        """Run in a thread of its own, counted while it lasts."""

        def count(step: int) -> None:
            with self._count:
                setattr(self, counter, getattr(self, counter) + step)

        def run() -> None:
            try:
                work()
            finally:
                count(-1)

        count(+1)
        threading.Thread(target=run, name=counter, daemon=True).start()


def _function(found: Any) -> Function:
    return Function(
        name=found.function_name,
        arn=found.function_arn,
        folder=code_folder(found.code_bytes),
        handler=found.handler,
        role=found.role,
        timeout=int(found.timeout),
        memory=int(found.memory_size),
        environment=tuple(sorted((name, str(value)) for name, value in found.environment_vars.items())),
    )


def _role_arn(role: str, principals: Principals) -> str:
    """Glue takes a role by name, too."""
    if role.startswith("arn:"):
        return role
    return str(principals.client("cloudformation.amazonaws.com", "iam").get_role(RoleName=role)["Role"]["Arn"])
