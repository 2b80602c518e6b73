"""What moto leaves out of Lambda, Glue, Athena and Step Functions: from its objects to our workers and back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.local.glue_worker import GlueWorkers, JobRun
from sluice.local.principals import Principals
from sluice.local.pump import Pump
from sluice.local.resources.compute import code_folder
from sluice.local.results import as_csv, as_text
from sluice.local.seams.athena_queries import Outcome, Query
from sluice.local.seams.lambda_workers import Answer
from sluice.local.workers import Function, LambdaWorkers

if TYPE_CHECKING:
    from sluice.local.athena import Scans

GLUE = "glue.amazonaws.com"


class Services:
    """Lambda functions, Glue jobs and Athena queries of one cloud."""

    def __init__(self, principals: Principals, pump: Pump, *, folder: Path) -> None:
        self._principals, self._pump = principals, pump
        place = {"endpoint": principals.endpoint, "region": principals.region}
        self.lambdas = LambdaWorkers(**place, folder=folder, credentials_of=principals.credentials)
        self.glue = GlueWorkers(**place, folder=folder)
        self.assets: Mapping[tuple[str, str], Path] = {}
        self.scanned: list[int] = []  # bytes by query
        self.jobs = 0
        self.queries = 0
        self._count, self._one_query = threading.Lock(), threading.Lock()
        self._scans: Scans | None = None

    def close(self) -> None:
        """End all processes."""
        self.lambdas.close()
        self.glue.close()

    def log(self, name: str) -> str:
        """What a function or job printed."""
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
        """Invoke and wait."""
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
        credentials = self._principals.credentials(_role_arn(job.role, self._principals), service=GLUE)

        def work() -> None:
            outcome = self.glue.run(started, credentials)
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
        """Tell EventBridge, as Step Functions does."""
        detail = {
            "executionArn": execution.execution_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": str(execution.status),
        }
        self._pump.emit("aws.states", "Step Functions Execution Status Change", detail, execution.execution_arn)

    # -- Athena

    def start_query(self, query: Query, finish: Callable[[Outcome], None]) -> None:
        """Begin a query on DuckDB."""

        def work() -> None:
            try:
                outcome = self._answer(query)
            except Exception as error:  # noqa: BLE001  (whatever it is, the query fails with it)
                refused = type(error).__name__ == "AthenaError"  # not imported yet if importing it failed
                outcome = Outcome(error=str(error) if refused else f"GENERIC_INTERNAL_ERROR: {error!r}")
            self.scanned.append(outcome.scanned)
            finish(outcome)

        self._beside("queries", work)

    def _answer(self, query: Query) -> Outcome:
        from sluice.local.athena import Scans, execute  # noqa: PLC0415  (DuckDB and sqlglot: not before they are needed)

        caller = self._principals.name_of(query.access_key)  # Athena reads and writes as whoever asks
        known = self._principals.credentials(caller)
        with self._one_query:  # DuckDB uses all processors for one anyway
            self._scans = self._scans or Scans()
            result = execute(
                query.sql,
                database=query.database,
                endpoint=self._principals.endpoint,
                region=self._principals.region,
                credentials=(known.access_key, known.secret_key, known.token),
                scans=self._scans,
            )
        rows = [[as_text(value) for value in row] for row in result.rows]
        if query.output:
            bucket, _, key = query.output.removeprefix("s3://").partition("/")
            body = as_csv([name for name, _ in result.columns], rows) if result.columns else b""
            self._principals.client(caller, "s3").put_object(Bucket=bucket, Key=key, Body=body)
        return Outcome(columns=result.columns, rows=rows, statement=result.statement, scanned=result.scanned)

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
