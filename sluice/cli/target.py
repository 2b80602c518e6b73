"""Which AWS a command talks to: the names of its parts, read from the environment that `sluice up` prints.

On a real account the same names are the outputs of the deployed stacks. No client is made before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.cli.exits import CommandError

if TYPE_CHECKING:
    import boto3
    from pyiceberg.catalog.glue import GlueCatalog

    from sluice.ledger.table import Ledger

_NAMES = {
    "raw_bucket": "SLUICE_RAW_BUCKET",
    "lake_bucket": "SLUICE_LAKE_BUCKET",
    "ledger_table": "SLUICE_LEDGER_TABLE",
    "database": "SLUICE_DATABASE",
    "workgroup": "SLUICE_WORKGROUP",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """The deployed parts that commands touch. Region, credentials and endpoint are the SDK's own business."""

    raw_bucket: str
    lake_bucket: str
    ledger_table: str
    database: str
    workgroup: str
    endpoint: str | None = None  # of the offline AWS; the SDK finds it by itself, pyiceberg does not

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Target:
        """Read the names. Raises CommandError with those that are missing."""
        missing = [name for name in _NAMES.values() if not environ.get(name)]
        if missing:
            raise CommandError(
                f"No AWS to talk to: {', '.join(missing)} not set.",
                how="Start the offline AWS with `sluice up` and export what it prints, "
                "or export the outputs of your deployed stacks.",
            )
        names = {field: environ[name] for field, name in _NAMES.items()}
        return cls(**names, endpoint=environ.get("AWS_ENDPOINT_URL"))

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

    def catalog(self) -> GlueCatalog:
        """Open the Glue catalog, for reading Iceberg tables."""
        from sluice.lake.catalog import connect  # noqa: PLC0415  (a second)

        return connect(self.session(), endpoint=self.endpoint)
