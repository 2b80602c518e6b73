"""A mart is replaced as a whole: the data files of the table that Athena made become the mart's, at once.

As `publish.py`, with an order in place of the fence: which snapshots a refresh has read. `sluice.sources` and
`sluice.token` travel in the commit, so a refresh that read older tables never replaces one that read newer ones, and
a repeated swap finds its own token. Nothing is copied: Athena wrote the files where they stay.

Where the mart has the shape of the new table, one Iceberg commit removes the old files and adds the new ones; readers
can travel back. Where it has another shape, or is not there yet, the field ids inside the new files cannot be the
mart's: the mart's catalog entry is pointed at the new table's metadata, by one conditional call. History begins anew
then; it can be had again by running the old SELECT over the old snapshots.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow.compute as pc
from botocore.exceptions import ClientError
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError

from sluice.errors import TransientError
from sluice.lake.catalog import is_transient
from sluice.lake.marks import FENCE
from sluice.lake.publish import Edit, commit

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table

SOURCES, TOKEN, DEFINITION = "sluice.sources", "sluice.token", "sluice.mart"

_ATTEMPTS = 8
_ENTRY_FIELDS = ("Description", "TableType", "Parameters", "StorageDescriptor")
_log = logging.getLogger(__name__)

Verdict = Literal["due", "done", "superseded"]


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """A table as a refresh read it. `fence` grows with the table's content; 0 where the table keeps none."""

    snapshot: int
    fence: int


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """One attempt to bring a mart up to date. `definition` is the digest of the compiled mart."""

    mart: str
    token: str
    definition: str
    sources: Mapping[str, SourceTable]


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A promise about the rows: `not_null` of each column, or `unique` of the columns together."""

    rule: Literal["not_null", "unique"]
    columns: tuple[str, ...]


class BrokenPromiseError(Exception):
    """The new rows break a check: the mart stays as it was."""


class NotThereError(TransientError):
    """The table that Athena was to make is not there: its query has not succeeded, or another worker is done."""


class _ReshapedError(Exception):
    """The mart got another shape since it was looked at."""


def stand(catalog: GlueCatalog, identifier: tuple[str, str]) -> SourceTable | None:
    """Return how a table stands now; None while it is not there or holds no snapshot."""
    try:
        table = catalog.load_table(identifier)
    except NoSuchTableError:
        return None
    snapshot = table.current_snapshot()
    return SourceTable(snapshot=snapshot.snapshot_id, fence=int(table.properties.get(FENCE, 0))) if snapshot else None


def properties_of(catalog: GlueCatalog, identifier: tuple[str, str]) -> Mapping[str, str]:
    """Return the table's properties; none while it is not there."""
    try:
        return catalog.load_table(identifier).properties
    except NoSuchTableError:
        return {}


def is_current(properties: Mapping[str, str], definition: str, sources: Mapping[str, SourceTable]) -> bool:
    """True if a mart with these properties was built from these sources and this definition."""
    known = _sources(properties)
    return properties.get(DEFINITION) == definition and all(
        name in known and (known[name].snapshot == now.snapshot or 0 < known[name].fence == now.fence)
        for name, now in sources.items()
    )


def judge(properties: Mapping[str, str], refresh: Refresh) -> Verdict:
    """Tell how much of a refresh remains: all, nothing, or nothing because a newer one was faster."""
    if properties.get(TOKEN) == refresh.token:
        return "done"
    known = _sources(properties)
    older = any(name in known and now.fence < known[name].fence for name, now in refresh.sources.items())
    return "superseded" if older else "due"


def swap(
    catalog: GlueCatalog,
    *,
    database: str,
    temporary: str,
    refresh: Refresh,
    checks: Sequence[Constraint],
    sleep: Callable[[float], None],
) -> Verdict:
    """Make the rows of `temporary` the mart's, exactly once, unless a newer refresh has been there.

    Raises BrokenPromiseError where they break a check, TransientError if no attempt got through.
    """
    target = (database, refresh.mart)
    for attempt in range(_ATTEMPTS):
        try:
            entry = _entry(catalog, target)
            mart = catalog.load_table(target) if entry else None
            verdict = judge(mart.properties, refresh) if mart else "due"
            if verdict != "due":
                return verdict
            new = _load_temporary(catalog, (database, temporary))
            check(new, checks)
            if mart is not None and _shape(mart) == _shape(new):
                return _replace_files(catalog, target, new, refresh, sleep)
            _adopt(catalog, target, entry, new, _marks(mart, refresh))
        except _ReshapedError:
            continue
        except Exception as error:
            again = isinstance(error, TableAlreadyExistsError) or is_transient(error)
            if not again or isinstance(error, NotThereError):
                raise
            _log.warning("swapping %s: attempt %d: %s", refresh.mart, attempt + 1, type(error).__name__)
            sleep(min(0.1 * 2**attempt, 5.0))
    raise TransientError(f"mart {'.'.join(target)}: {_ATTEMPTS} attempts to swap failed")


def forget(catalog: GlueCatalog, *, database: str, temporary: str) -> None:
    """Drop the catalog entry of the table that Athena made. Its files may be the mart's now: they stay."""
    try:
        catalog.drop_table((database, temporary))
    except NoSuchTableError:
        return


def check(table: Table, checks: Sequence[Constraint]) -> None:
    """Hold the rows against the promises, reading no more than their columns. Raises BrokenPromiseError."""
    for promise in checks:
        named = f"{promise.rule}({', '.join(promise.columns)})"
        broken = _nulls(table, promise.columns) if promise.rule == "not_null" else _repeated(table, promise.columns)
        if broken:
            raise BrokenPromiseError(
                f"test {named} failed: {broken} {'rows' if promise.rule == 'not_null' else 'keys'}"
            )


def _replace_files(
    catalog: GlueCatalog, target: tuple[str, str], new: Table, refresh: Refresh, sleep: Callable[[float], None]
) -> Verdict:
    verdicts: list[Verdict] = ["done"]

    def decide(mart: Table) -> Edit | None:
        verdicts[0] = judge(mart.properties, refresh)
        if verdicts[0] != "due":
            return None
        if _shape(mart) != _shape(new):
            raise _ReshapedError
        return Edit(
            add=tuple(task.file.file_path for task in new.scan().plan_files()),
            remove=tuple(task.file for task in mart.scan().plan_files()),
            properties=_marks(mart, refresh),
            summary={TOKEN: refresh.token},
        )

    published = commit(catalog, target, decide=decide, sleep=sleep)
    return "done" if published.edit is not None else verdicts[0]


def _adopt(
    catalog: GlueCatalog, target: tuple[str, str], entry: Mapping[str, Any] | None, new: Table, marks: Mapping[str, str]
) -> None:
    """Let the mart's name mean the new table. The next turn of the loop sees whether it worked."""
    new.transaction().set_properties(dict(marks)).commit_transaction()
    if entry is None:
        catalog.register_table(target, new.metadata_location)
        return
    made = _entry(catalog, new.name())
    if made is None:
        raise NotThereError(f"table {'.'.join(new.name())} is not there")
    renamed: Any = {"Name": target[1], **{field: made[field] for field in _ENTRY_FIELDS if field in made}}
    # The version is that of the entry which was judged: whoever changed the mart since makes this call fail.
    catalog.glue.update_table(DatabaseName=target[0], TableInput=renamed, VersionId=str(entry["VersionId"]))


def _marks(mart: Table | None, refresh: Refresh) -> Mapping[str, str]:
    fence = int(mart.properties.get(FENCE, 0)) if mart else 0
    return {
        FENCE: str(fence + 1),  # marts are read by marts: theirs grows with each swap
        TOKEN: refresh.token,
        DEFINITION: refresh.definition,
        SOURCES: json.dumps({name: asdict(source) for name, source in sorted(refresh.sources.items())}),
        "commit.retry.num-retries": "0",
    }


def _sources(properties: Mapping[str, str]) -> Mapping[str, SourceTable]:
    return {name: SourceTable(**source) for name, source in json.loads(properties.get(SOURCES, "{}")).items()}


def _entry(catalog: GlueCatalog, identifier: tuple[str, ...]) -> Mapping[str, Any] | None:
    try:
        return dict(catalog.glue.get_table(DatabaseName=identifier[0], Name=identifier[1])["Table"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise


def _load_temporary(catalog: GlueCatalog, identifier: tuple[str, str]) -> Table:
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError as error:
        raise NotThereError(f"table {'.'.join(identifier)} is not there") from error


def _shape(table: Table) -> object:
    columns = [(field.field_id, field.name, str(field.field_type)) for field in table.schema().fields]
    return columns, [(part.source_id, str(part.transform), part.name) for part in table.spec().fields]


def _nulls(table: Table, columns: Sequence[str]) -> int:
    ids = [table.schema().find_field(column).field_id for column in columns]
    files = [task.file for task in table.scan().plan_files()]
    if all(file.null_value_counts is not None and key in file.null_value_counts for file in files for key in ids):
        return sum(file.null_value_counts[key] for file in files for key in ids)  # no file need be opened
    return sum(column.null_count for column in table.scan(selected_fields=tuple(columns)).to_arrow().columns)


def _repeated(table: Table, columns: Sequence[str]) -> int:
    rows = table.scan(selected_fields=tuple(columns)).to_arrow().drop_null()
    counted = rows.group_by(list(columns)).aggregate([([], "count_all")])
    return int(pc.sum(pc.greater(counted.column("count_all"), 1)).as_py() or 0)
