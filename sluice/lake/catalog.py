"""The Glue catalog as every writer must use it. What is written is decided elsewhere.

pyiceberg deletes the manifests of a commit that it believes has failed. Two things make it believe so of a commit that
is live: an SDK that sends `UpdateTable` again after a lost response (the second one meets the version that the first
one made), and its own retries. Both are switched off here, for every table and whatever its properties say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException

from sluice.errors import TransientError

if TYPE_CHECKING:
    import boto3
    from pyiceberg.table import CommitTableResponse, Table
    from pyiceberg.table.update import TableRequirement, TableUpdate

_BUSY = frozenset(
    {"ConcurrentModificationException", "ThrottlingException", "RequestTimeout", "OperationTimeoutException"}
)


class CommitConflictError(TransientError):
    """Somebody else changed the table first. This commit did not land, and nothing of it was deleted."""


class OneAttemptCatalog(GlueCatalog):
    """A Glue catalog that tries each commit once and reports a conflict in words that pyiceberg does not act upon."""

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Commit once. Raises CommitConflictError where pyiceberg would retry, then delete what it wrote."""
        try:
            return super().commit_table(table, requirements, updates)
        except CommitFailedException as conflict:
            raise CommitConflictError(str(conflict)) from conflict


def connect(session: boto3.Session, *, endpoint: str | None = None) -> GlueCatalog:
    """Open the account's Glue catalog. `endpoint` points table files at an S3 other than that of AWS."""
    glue = session.client("glue", config=Config(retries={"total_max_attempts": 1, "mode": "standard"}))
    properties: dict[str, Any] = {"py-io-impl": "sluice.lake.files.CountedFileIO"}
    if session.region_name:
        properties["s3.region"] = session.region_name
    if endpoint:
        properties["s3.endpoint"] = endpoint
        # The offline AWS may be known to the session alone, and readers of table files look into the environment.
        if known := session.get_credentials():
            properties |= {"s3.access-key-id": known.access_key, "s3.secret-access-key": known.secret_key}
            if known.token:
                properties["s3.session-token"] = known.token
    return OneAttemptCatalog("sluice", client=glue, **properties)


def is_transient(error: BaseException) -> bool:
    """Tell whether the call may be made again after a fresh look: outage, throttling, conflict, lost response."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return status >= 500 or error.response["Error"]["Code"] in _BUSY  # noqa: PLR2004  (HTTP's server errors)
    return isinstance(error, TransientError | BotoCoreError | OSError)
