"""Where the offline Athena's rows come from: tables, snapshots and views of the Glue catalog, as Arrow.

Reads only; tables are made in `write.py`. Scans are kept per snapshot, because a snapshot never changes.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow as pa
from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.types import ListType, MapType, StructType

from sluice.warehouse.analyse import Columns
from sluice.warehouse.query import QueryError
from sluice.warehouse.types import from_iceberg

if TYPE_CHECKING:
    from pyiceberg.table import Table

_VIEW_START, _VIEW_END = "/* Presto View: ", " */"
_METADATA_TYPES = {pa.int64(): "bigint", pa.string(): "varchar", pa.bool_(): "boolean"}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Address of the offline Glue and S3, and the caller's key."""

    endpoint: str
    region: str
    credentials: tuple[str, str, str | None]  # access key, secret, session token

    def client(self, service: str) -> Any:
        """Make a client of that service."""
        key, secret, token = self.credentials
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def catalog(self) -> GlueCatalog:
        """Open the Glue catalog as an Iceberg catalog."""
        key, secret, token = self.credentials
        properties = {
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
            "s3.endpoint": self.endpoint,
            "s3.region": self.region,
            "s3.access-key-id": key,
            "s3.secret-access-key": secret,
        }
        if token:
            properties["s3.session-token"] = token
        return GlueCatalog("athena", client=self.client("glue"), **properties)


@dataclass(kw_only=True)
class Scans:
    """Snapshots already read, as Arrow, the least recently used dropped beyond `limit` bytes."""

    limit: int = 512 << 20
    _kept: OrderedDict[tuple[str, int], pa.Table] = field(default_factory=OrderedDict)

    def read(self, table: Table, snapshot_id: int, columns: Iterable[str]) -> pa.Table:
        """Return the snapshot's rows with at least these columns."""
        key = (str(table.metadata.table_uuid), snapshot_id)
        kept = self._kept.pop(key, None)
        wanted = set(columns) | set(kept.column_names if kept is not None else ())
        if kept is None or set(kept.column_names) < wanted:
            kept = table.scan(snapshot_id=snapshot_id, selected_fields=tuple(sorted(wanted))).to_arrow()
        self._kept[key] = kept
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > self.limit:
            self._kept.popitem(last=False)
        return kept


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One table at one snapshot, or one metadata table, ready to be read."""

    columns: Columns  # Athena types
    table: Table | None = None
    snapshot_id: int | None = None
    rows: pa.Table | None = None

    def read(self, columns: Sequence[str], scans: Scans) -> pa.Table:
        """Return rows with at least these columns (with one, where none is asked for: it carries the count)."""
        if self.rows is not None:
            return self.rows
        wanted = columns or [self.columns[0][0]]
        if self.table is None or self.snapshot_id is None:
            return pa.table({name: pa.array([], arrow_type(dict(self.columns)[name])) for name in wanted})
        return scans.read(self.table, self.snapshot_id, wanted)

    def scanned(self) -> int:
        """Count the bytes of the data files, which Athena would bill at most."""
        if self.table is None or self.snapshot_id is None:
            return 0
        snapshot = self.table.snapshot_by_id(self.snapshot_id)
        summary = snapshot.summary.additional_properties if snapshot and snapshot.summary else {}
        return int(summary.get("total-files-size", 0))


def find_table(catalog: GlueCatalog, database: str, name: str, version: tuple[str, str] | None) -> Relation:
    """Find a table (`flights`) or metadata table (`flights$snapshots`), at a version where one is given."""
    base, _, inspected = name.partition("$")
    try:
        table = catalog.load_table((database, base))
    except NoSuchTableError as error:
        raise QueryError(f"TABLE_NOT_FOUND: table {database}.{base} does not exist") from error
    if inspected:
        return _metadata_table(table, inspected)
    snapshot_id = _snapshot(table, version)
    schema = table.schema()
    if version and snapshot_id is not None:
        snapshot = table.snapshot_by_id(snapshot_id)
        if snapshot is not None and snapshot.schema_id is not None:
            schema = table.schemas()[snapshot.schema_id]
    columns = [(column.name.lower(), athena_type(column.field_type)) for column in schema.fields]
    return Relation(columns=columns, table=table, snapshot_id=snapshot_id)


def find_view(glue: Any, database: str, name: str) -> str | None:
    """Return the SELECT of a view, None where there is no view of that name."""
    try:
        entry = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise
    if entry.get("TableType") != "VIRTUAL_VIEW":
        return None
    text = entry["ViewOriginalText"].removeprefix(_VIEW_START).removesuffix(_VIEW_END)
    return str(json.loads(base64.b64decode(text))["originalSql"])


def view_entry(database: str, name: str, sql: str, columns: Columns) -> Any:
    """Build the Glue entry with which Athena stores a view."""
    document = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "runAsInvoker": True,
        "columns": [{"name": column, "type": kind} for column, kind in columns],
    }
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {"Columns": [{"Name": c, "Type": glue_type(k)} for c, k in columns], "Location": ""},
        "PartitionKeys": [],
        "ViewOriginalText": _VIEW_START + encoded + _VIEW_END,
        "ViewExpandedText": "/* Presto View */",
    }


def glue_type(kind: str) -> str:
    """Name an Athena type as Glue (Hive) does."""
    plain = {"integer": "int", "varchar": "string", "real": "float"}
    if "(" not in kind or kind.startswith("decimal"):
        return plain.get(kind, kind)
    outer, _, inner = kind.partition("(")
    parts = split_type(inner[:-1])
    if outer == "row":
        named = (part.partition(" ") for part in parts)
        return "struct<" + ",".join(f"{name}:{glue_type(of)}" for name, _, of in named) + ">"
    return f"{outer}<" + ",".join(map(glue_type, parts)) + ">"


def split_type(inner: str) -> list[str]:
    """Split the parts of a nested type at its own commas: `varchar, row(a integer, b date)` are two."""
    parts, depth, start = [], 0, 0
    for place, sign in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append(inner[start:place].strip())
            start = place + 1
    return [*parts, inner[start:].strip()]


def athena_type(kind: Any) -> str:
    """Name an Iceberg type as Athena's API does: arrays and rows by their parts."""
    match kind:
        case ListType():
            return f"array({athena_type(kind.element_type)})"
        case MapType():
            return f"map({athena_type(kind.key_type)}, {athena_type(kind.value_type)})"
        case StructType():
            return f"row({', '.join(f'{part.name} {athena_type(part.field_type)}' for part in kind.fields)})"
        case _:
            return from_iceberg(str(kind))


def arrow_type(kind: str) -> pa.DataType:
    """Find the Arrow type of an Athena type of the subset."""
    simple = {
        "integer": pa.int32(), "bigint": pa.int64(), "real": pa.float32(), "double": pa.float64(),
        "varchar": pa.string(), "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
        "unknown": pa.null(),
    }  # fmt: skip
    if kind in simple:
        return simple[kind]
    if kind.startswith("decimal("):
        precision, scale = kind[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    raise QueryError(f"type {kind} is not known to the offline Athena")


def _snapshot(table: Table, version: tuple[str, str] | None) -> int | None:
    if version is None:
        current = table.current_snapshot()
        return current.snapshot_id if current else None
    kind, value = version
    if kind == "VERSION":
        found = table.snapshot_by_id(int(value))
    else:
        moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
        if moment > datetime.now(UTC):
            raise QueryError(f"INVALID_ARGUMENTS: {value} is not in the past")
        found = table.snapshot_as_of_timestamp(int(moment.timestamp() * 1000))
    if found is None:
        raise QueryError(f"INVALID_ARGUMENTS: table {table.name()[-1]} has no {kind.lower()} {value}")
    return found.snapshot_id


def _metadata_table(table: Table, name: str) -> Relation:
    if name == "snapshots":
        rows = table.inspect.snapshots().drop_columns(["summary"])
    elif name == "history":
        rows = table.inspect.history()
    else:
        raise QueryError(f"metadata table ${name} is not there offline", remedy="$snapshots or $history")
    kinds = [(column.name, _METADATA_TYPES.get(column.type, "timestamp")) for column in rows.schema]
    return Relation(columns=kinds, rows=rows)
