"""Which AWS a command talks to: the names of its parts.

Offline they stand in the environment that `sluice up` prints. Of a deployment (`--env dev`, or SLUICE_ENV) they are the
outputs of its stacks, which CloudFormation tells. No client is made before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sluice.cli.exits import CommandError

if TYPE_CHECKING:
    import boto3
    from pyiceberg.catalog.glue import GlueCatalog

    from sluice.ledger.model import Lease
    from sluice.ledger.table import Ledger

_NAMES = {
    "raw_bucket": "SLUICE_RAW_BUCKET",
    "lake_bucket": "SLUICE_LAKE_BUCKET",
    "ledger_table": "SLUICE_LEDGER_TABLE",
    "database": "SLUICE_DATABASE",
    "workgroup": "SLUICE_WORKGROUP",
}
# What only some commands need.
_MORE = {
    "state_machine": "SLUICE_STATE_MACHINE",
    "ingest_queue": "SLUICE_INGEST_QUEUE",
    "dead_letters": "SLUICE_INGEST_DEAD_LETTERS",
}
# The stacks of an environment, and the outputs that hold these names (stacks/lake.py, stacks/flow.py).
_OUTPUTS = {
    "lake": {"raw_bucket": "RawBucket", "lake_bucket": "LakeBucket", "ledger_table": "LedgerTable"},
    "flow": {
        "database": "Database",
        "workgroup": "WorkGroup",
        "state_machine": "StateMachine",
        "ingest_queue": "IngestQueue",
        "dead_letters": "IngestDeadLetters",
    },
}

LEASE_SECONDS = 6 * 3600 + 900  # as stacks/settings.py has it: longer than any run lasts


@dataclass(frozen=True, kw_only=True)
class Target:
    """The deployed parts that commands touch. Region, credentials and endpoint are the SDK's own business."""

    raw_bucket: str
    lake_bucket: str
    ledger_table: str
    database: str
    workgroup: str
    state_machine: str = ""  # of runs
    ingest_queue: str = ""
    dead_letters: str = ""  # of the ingest queue
    endpoint: str | None = None  # of the offline AWS; the SDK finds it by itself, pyiceberg does not

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Target:
        """Read the names, from the stacks of SLUICE_ENV if it is set. Raises CommandError with what is missing."""
        endpoint = environ.get("AWS_ENDPOINT_URL")
        if environ.get("SLUICE_ENV"):
            return cls(**_from_stacks(environ["SLUICE_ENV"]), endpoint=endpoint)
        missing = [name for name in _NAMES.values() if not environ.get(name)]
        if missing:
            raise CommandError(
                f"No AWS to talk to: {', '.join(missing)} not set.",
                how="Start the offline AWS with `sluice up` and export what it prints, "
                "or name your deployment: `--env dev --profile NAME`.",
            )
        names = {field: environ[name] for field, name in _NAMES.items()}
        more = {field: environ.get(name, "") for field, name in _MORE.items()}
        return cls(**names, **more, endpoint=endpoint)

    def session(self) -> boto3.Session:
        """Open a session from the environment: AWS_ENDPOINT_URL, if set, points every client at the offline AWS."""
        import boto3  # noqa: PLC0415  (a third of a second; `check` never needs it)

        return boto3.Session()

    def client(self, service: str) -> Any:
        """Make an SDK client of this target."""
        return self.session().client(service)  # type: ignore[call-overload]

    def ledger(self) -> Ledger:
        """Open the loads and runs of this target."""
        from sluice.ledger.table import Ledger  # noqa: PLC0415

        return Ledger(self.session().resource("dynamodb").Table(self.ledger_table))

    def need(self, field: str) -> str:
        """Return one of the names that only some commands need. Raises CommandError where it is not known."""
        if found := str(getattr(self, field)):
            return found
        raise CommandError(
            f"{_MORE[field]} is not set.", how="Export what `sluice up` prints, or name your deployment: `--env dev`."
        )

    def waking(self) -> Callable[[str], Lease]:
        """Return what wakes a dataset, given its name."""
        from sluice.stages.services import utc_now  # noqa: PLC0415
        from sluice.stages.wake import wake  # noqa: PLC0415

        return partial(
            wake,
            ledger=self.ledger(),
            states=self.client("stepfunctions"),
            state_machine=self.need("state_machine"),
            now=utc_now(),
            lease_seconds=LEASE_SECONDS,
        )

    def catalog(self) -> GlueCatalog:
        """Open the Glue catalog, for reading Iceberg tables."""
        from sluice.lake.catalog import connect  # noqa: PLC0415  (a second)

        return connect(self.session(), endpoint=self.endpoint)


def _from_stacks(environment: str) -> dict[str, str]:
    """Ask CloudFormation for the names. Raises CommandError if the stacks are not there, or not ours."""
    import boto3  # noqa: PLC0415  (a third of a second; `check` never needs it)
    from botocore.exceptions import ClientError, ProfileNotFound  # noqa: PLC0415

    try:
        stacks = boto3.Session().client("cloudformation")
    except ProfileNotFound as error:
        raise CommandError(f"{error}.", how="Name one that `aws configure list-profiles` shows.") from error
    names: dict[str, str] = {}
    for part, outputs in _OUTPUTS.items():
        stack = f"sluice-{environment}-{part}"
        try:
            (found,) = stacks.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":  # how CloudFormation says "there is none"
                raise
            raise CommandError(
                f"There is no stack {stack} in {stacks.meta.region_name}.",
                how=f"Deploy it (`make deploy ENV={environment}`), or check --env, --profile and the region.",
            ) from error
        said = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        names |= {field: said[output] for field, output in outputs.items() if output in said}
    if missing := [
        output
        for outputs in _OUTPUTS.values()
        for field, output in outputs.items()
        if field not in names and field not in _MORE
    ]:
        raise CommandError(
            f"The stacks of {environment} do not put out {', '.join(missing)}.",
            how=f"Deploy them again (`make deploy ENV={environment}`).",
        )
    return names
