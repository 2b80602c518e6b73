"""Which AWS a command talks to: the names of its parts.

Of a deployment (`--env dev`, or SLUICE_ENV) they are the outputs of its stacks, which CloudFormation tells. Otherwise
they stand in the environment, if somebody has exported what `sluice env` prints, or else in the folder `.sluice` of the
project that the current folder belongs to, where `sluice up` leaves them. No client is made before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.cli.exits import CommandError, Exit
from sluice.cli.home import Home
from sluice.settings import RuntimeSettings

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

LEASE_SECONDS = RuntimeSettings().lease_seconds


@dataclass(frozen=True, kw_only=True)
class Target:
    """The deployed parts that commands touch.

    Region and credentials are the SDK's own business, unless `access` holds them: those of an offline AWS that was
    found by itself, by the names of environment variables.
    """

    raw_bucket: str
    lake_bucket: str
    ledger_table: str
    database: str
    workgroup: str
    state_machine: str = ""  # of runs
    ingest_queue: str = ""
    dead_letters: str = ""  # of the ingest queue
    endpoint: str | None = None  # of the offline AWS; the SDK finds it by itself, pyiceberg does not
    profile: str | None = field(default=None, compare=False)  # of the credentials; None: the SDK's choice
    access: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    contracts: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)  # deployed: see `deployed.py`

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, start: Path | None = None) -> Target:
        """Find the names: of the stacks of SLUICE_ENV, of the environment, of `sluice up` in `start` or above it.

        Raises:
            CommandError: there is no AWS to talk to, or a part of its names is missing.
        """
        endpoint = environ.get("AWS_ENDPOINT_URL")
        if environ.get("SLUICE_ENV"):
            profile = environ.get("AWS_PROFILE") or None
            return cls(**_from_stacks(environ["SLUICE_ENV"], profile), endpoint=endpoint, profile=profile)
        if not any(environ.get(name) for name in _NAMES.values()):
            return cls._running(start or Path.cwd())
        if missing := [name for name in _NAMES.values() if not environ.get(name)]:
            raise CommandError(
                f"No AWS to talk to: {', '.join(missing)} not set, but others are.",
                how='Say `eval "$(sluice env)"`, or unset all of SLUICE_*: then the offline AWS is found by itself.',
            )
        return cls._named(environ, endpoint=endpoint)

    @classmethod
    def _named(cls, environ: Mapping[str, str], **more: Any) -> Target:
        names: dict[str, Any] = {part: environ.get(name, "") for part, name in (_NAMES | _MORE).items()}
        return cls(**names, **more)

    @classmethod
    def _running(cls, start: Path) -> Target:
        """Return the offline AWS that runs for the project around a folder. Raises CommandError where none does."""
        home = Home.above(start)
        if home is None:
            raise CommandError(
                f"No AWS to talk to: no offline AWS has been started in {start} or above it.",
                how="Start one with `sluice up` in the project's folder, or name your deployment: "
                "`--env dev --profile NAME`.",
            )
        described = home.description()
        if described is None:
            began = home.pid()
            raise CommandError(
                f"The offline AWS of {home.project} is not ready yet." if began else
                f"The offline AWS of {home.project} does not run.",
                how="Run the command again in some seconds." if began else
                "Start it with `sluice up`: its tables are kept. Or name your deployment: `--env dev --profile NAME`.",
                code=Exit.INFRASTRUCTURE,
            )  # fmt: skip
        environment = described["environment"]
        return cls._named(
            environment,
            endpoint=environment["AWS_ENDPOINT_URL"],
            access=environment,
            contracts=described.get("contracts"),
        )

    def session(self) -> boto3.Session:
        """Open a session, of the offline AWS that was found, else from the environment."""
        import boto3  # noqa: PLC0415  (a third of a second; `check` never needs it)

        if self.access:
            from sluice.cli.offline_session import OfflineSession  # noqa: PLC0415

            return OfflineSession(self.access)
        return boto3.Session(profile_name=self.profile)

    def client(self, service: str) -> Any:
        """Make an SDK client of this target."""
        return self.session().client(service)  # type: ignore[call-overload]

    def ledger(self) -> Ledger:
        """Open the loads and runs of this target."""
        from sluice.ledger.table import Ledger  # noqa: PLC0415

        return Ledger(self.session().resource("dynamodb").Table(self.ledger_table))

    def need(self, part: str) -> str:
        """Return one of the names that only some commands need. Raises CommandError where it is not known."""
        if found := str(getattr(self, part)):
            return found
        raise CommandError(
            f"{_MORE[part]} is not set.", how="Export what `sluice env` prints, or name your deployment: `--env dev`."
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


def _from_stacks(environment: str, profile: str | None) -> dict[str, Any]:
    """Ask CloudFormation for the names. Raises CommandError if the stacks are not there, or not ours."""
    import boto3  # noqa: PLC0415  (a third of a second; `check` never needs it)
    from botocore.exceptions import ClientError, ProfileNotFound  # noqa: PLC0415

    try:
        stacks = boto3.Session(profile_name=profile).client("cloudformation")
    except ProfileNotFound as error:
        raise CommandError(f"{error}.", how="Name one that `aws configure list-profiles` shows.") from error
    names: dict[str, Any] = {}
    for stack_name, outputs in _OUTPUTS.items():
        stack = f"sluice-{environment}-{stack_name}"
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
        names |= {part: said[output] for part, output in outputs.items() if output in said}
    if missing := [
        output
        for outputs in _OUTPUTS.values()
        for part, output in outputs.items()
        if part not in names and part not in _MORE
    ]:
        raise CommandError(
            f"The stacks of {environment} do not put out {', '.join(missing)}.",
            how=f"Deploy them again (`make deploy ENV={environment}`).",
        )
    return names
