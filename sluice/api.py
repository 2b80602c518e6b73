"""The Python API: a project's contracts, files checked against them, and the tables of a deployed or offline Sluice.

Rows are Arrow tables; `to_pandas()` makes frames of them. Nothing here changes files or tables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sluice.errors import ContractError, DataError, SluiceError
from sluice.project import Project
from sluice.project import load_project as _load_project

if TYPE_CHECKING:
    import pyarrow as pa

    from sluice.cli.target import Target
    from sluice.ledger.model import Run

__all__ = [
    "Checked",
    "ContractError",
    "DataError",
    "Lake",
    "Project",
    "SluiceError",
    "Summary",
    "check",
    "connect",
    "load_project",
]


def load_project(folder: str | Path = ".") -> Project:
    """Compile the contracts and marts of a project.

    Args:
        folder: The one with `contracts/`.

    Returns:
        Its plans by dataset, and its marts.

    Raises:
        ContractError: A contract or mart is wrong; the message names file, place and remedy.
    """
    return _load_project(Path(folder))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The account of some files: read = accepted + rejected + superseded. `refused` has reasons by file name."""

    rows_read: int
    rows_accepted: int
    rows_rejected: int
    rows_superseded: int
    refused: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What would become of files.

    Attributes:
        accepted: The rows of the table, with their types and seven columns of provenance.
        rejects: One row for each broken rule, with record number, column, rule, reason and the raw text.
        summary: The account.
    """

    accepted: pa.Table
    rejects: pa.Table
    summary: Summary

    @property
    def ok(self) -> bool:
        """Whether no row and no file broke the contract."""
        return not self.summary.rows_rejected and not self.summary.refused


def check(project: Project, dataset: str, *files: str | Path) -> Checked:
    """Try files against the contract of a dataset, as if they were uploaded in this order. No AWS is involved.

    Args:
        project: See `load_project`.
        dataset: One of `project.plans`.
        files: CSV, JSON, Parquet or what else the contract says.

    Raises:
        ContractError: The project has no such dataset.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415

    from sluice.cli.check import judge  # noqa: PLC0415  (DuckDB)
    from sluice.contract.plan import PROVENANCE, REJECTS  # noqa: PLC0415

    plan = project.plans.get(dataset)
    if plan is None:
        raise ContractError(
            f"there is no dataset {dataset!r}", file="contracts", remedy=f"name one of {', '.join(project.plans)}"
        )
    paths = [Path(file) for file in files]
    with TemporaryDirectory(prefix="sluice-api-") as folder:
        out = Path(folder)
        loads = judge(plan, paths, out).loads
        columns = [*((column.name, column.type) for column in plan.columns), *PROVENANCE]
        read = {
            kind: _together([pq.read_table(path) for path in sorted((out / kind).glob("*.parquet"))], columns=of)
            for kind, of in (("data", columns), ("rejects", REJECTS))
        }
    return Checked(
        accepted=read["data"],
        rejects=read["rejects"],
        summary=Summary(
            rows_read=sum(load.rows_read for load in loads),
            rows_accepted=sum(load.rows_accepted for load in loads),
            rows_rejected=sum(load.rows_rejected for load in loads),
            rows_superseded=sum(load.rows_superseded for load in loads),
            refused={path.name: load.refused for path, load in zip(paths, loads, strict=True) if load.refused},
        ),
    )


def _together(tables: Sequence[pa.Table], *, columns: Sequence[tuple[str, str]]) -> pa.Table:
    """Put tables together; none at all give an empty one with the right columns."""
    import pyarrow as pa  # noqa: PLC0415

    if tables:
        return pa.concat_tables(tables, promote_options="default")
    from pyiceberg.io.pyarrow import schema_to_pyarrow  # noqa: PLC0415

    from sluice.lake.tables import schema_of  # noqa: PLC0415  (pyiceberg)

    schema = schema_to_pyarrow(schema_of([(name, kind, "") for name, kind in columns]), include_field_ids=False)
    return schema.empty_table()


def connect(env: str | None = None, *, profile: str | None = None, folder: str | Path = ".") -> Lake:
    """Connect to the tables of an environment.

    Args:
        env: A deployed one, `dev` say. Without it the environment variables decide, or else the offline AWS of
            `sluice up` around `folder`.
        profile: Of your AWS credentials, with `env`.
        folder: A project's folder, or one below it.

    Raises:
        SluiceError: There is none; the message says how to get one.
    """
    from sluice.cli.target import Target  # noqa: PLC0415

    environ = dict(os.environ)
    environ |= {name: value for name, value in (("SLUICE_ENV", env), ("AWS_PROFILE", profile)) if value}
    return Lake(Target.from_environment(environ, start=Path(folder)))


class Lake:
    """Curated tables, rejects, marts and runs of one environment, to be read. Made by `connect`."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def query(self, sql: str) -> pa.Table:
        """Run one SELECT through Athena.

        Raises:
            SluiceError: Athena refuses the statement.
        """
        import pyarrow as pa  # noqa: PLC0415

        from sluice.cli.frames import select  # noqa: PLC0415

        return pa.Table.from_pandas(select(self._target, sql), preserve_index=False)

    def table(
        self, name: str, *, snapshot: int | None = None, at: datetime | None = None, columns: Sequence[str] = ("*",)
    ) -> pa.Table:
        """Read a table, without Athena, as it is or as it was.

        Args:
            name: A dataset, its rejects (`orders__rejects`) or a mart.
            snapshot: The id of a snapshot: see `snapshots`.
            at: A time; one without a zone is taken for UTC. What was published after it is left out.
            columns: Only these.

        Raises:
            SluiceError: There is no such table, or it is younger than `at`.
        """
        found = self._open(name)
        if at is not None:
            if snapshot is not None:
                raise SluiceError("Say snapshot or at, not both.")
            moment = at if at.tzinfo else at.replace(tzinfo=UTC)
            shown = found.snapshot_as_of_timestamp(int(moment.timestamp() * 1000))
            if shown is None:
                raise SluiceError(f"Table {name} had no snapshot at {moment.isoformat()}: it begins later.")
            snapshot = shown.snapshot_id
        elif snapshot is not None and found.snapshot_by_id(snapshot) is None:
            raise SluiceError(f"Table {name} has no snapshot {snapshot}: it may have expired. See snapshots({name!r}).")
        return found.scan(selected_fields=tuple(columns), snapshot_id=snapshot).to_arrow()

    def snapshots(self, name: str) -> list[tuple[int, datetime]]:
        """List the snapshots of a table that are kept, oldest first: ids and times (UTC)."""
        return [
            (snapshot.snapshot_id, datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC))
            for snapshot in self._open(name).snapshots()
        ]

    def rejects(self, dataset: str) -> pa.Table:
        """Read the rejects of a dataset: one row for each broken rule."""
        return self.table(f"{dataset}__rejects")

    def runs(self, dataset: str, *, limit: int = 20) -> list[Run]:
        """List what ran for a dataset, newest first."""
        return list(islice(self._target.ledger().runs(dataset), limit))

    def _open(self, name: str) -> Any:
        from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415

        try:
            return self._target.catalog().load_table((self._target.database, name))
        except NoSuchTableError as error:
            raise SluiceError(
                f"There is no table {name} in {self._target.database}. A dataset's table begins with its first load."
            ) from error
