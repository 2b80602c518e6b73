"""Refresh: a table was published, its marts follow. `order`, then for each mart `prepare`, Athena's query, `swap`.

What a mart reads is pinned in `prepare` and written down (`runs/<mart>/<token>.json`), so `swap` judges by what the
query has read, not by what is there now. How a mart is replaced: `sluice.lake.swap`; the SQL: `sluice.warehouse.sql`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sluice.errors import ContractError, TransientError
from sluice.lake import swap as lake
from sluice.lake.objects import get_json, put_json_once
from sluice.locations import RUNS, table_location
from sluice.state import opened, stamped
from sluice.warehouse import sql
from sluice.warehouse.mart import Mart, marts_from_json
from sluice.warehouse.order import downstream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog.glue import GlueCatalog

_ENTRY_FIELDS = (
    *("Name", "Description", "TableType", "Parameters", "StorageDescriptor", "PartitionKeys"),
    *("ViewOriginalText", "ViewExpandedText"),
)


CURRENT = "current"  # why there is nothing to do


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What Athena is to run; `skip` with a reason where there is nothing to do."""

    skip: bool
    reason: str = ""
    sql: str = ""
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class MartContext:
    """The marts of this deployment and where they live."""

    marts: Sequence[Mart]  # in dependency order
    catalog: GlueCatalog
    s3: S3Client
    database: str
    lake_bucket: str
    sleep: Callable[[float], None]

    def mart(self, name: str) -> Mart:
        """Find one mart. Raises ContractError if this deployment has none of that name."""
        for mart in self.marts:
            if mart.name == name:
                return mart
        raise ContractError(f"no mart {name!r}", file="marts", remedy="deploy its file")

    @property
    def views(self) -> Mapping[str, Mart]:
        """Return the marts that are views, by name."""
        return {mart.name: mart for mart in self.marts if mart.materialized == "view"}


def read_marts(folder: Path) -> Sequence[Mart]:
    """Read the compiled marts that travel with the function, in dependency order."""
    return marts_from_json((folder / "marts.json").read_text(encoding="utf-8"))


def order(marts: Sequence[Mart], table: str | None) -> Sequence[str]:
    """List the marts that a published table concerns, each after those that it reads; all without a table."""
    return [mart.name for mart in downstream(marts, table)]


def prepare(warehouse: MartContext, name: str, *, attempt: str) -> Prepared:
    """Pin what the mart reads and say what Athena must run.

    `attempt` tells this call from all others: Athena refuses to create a table where one was begun before.
    """
    mart = warehouse.mart(name)
    if mart.materialized == "view":
        return _prepare_view(warehouse, mart)
    views = warehouse.views
    sources: dict[str, lake.SourceTable] = {}
    for table in sql.pinned_tables(mart, views):
        source = lake.stand(warehouse.catalog, (warehouse.database, table))
        if source is None:
            return Prepared(skip=True, reason=f"table {table} holds nothing yet")
        sources[table] = source
    properties = lake.properties_of(warehouse.catalog, (warehouse.database, name))
    if lake.is_current(properties, mart.digest, sources):
        return Prepared(skip=True, reason=CURRENT)
    pins = {table: source.snapshot for table, source in sources.items()}
    token = hashlib.sha256("\n".join([mart.digest, json.dumps(pins, sort_keys=True), attempt]).encode()).hexdigest()[
        :16
    ]
    refresh = lake.Refresh(mart=name, token=token, definition=mart.digest, sources=sources)
    put_json_once(
        warehouse.s3, bucket=warehouse.lake_bucket, key=_record(name, token), value=stamped("run", asdict(refresh))
    )
    location = f"{table_location(warehouse.lake_bucket, name)}/data/{token}"
    select = sql.pin(mart, pins, views)
    statement = sql.ctas(
        mart, select, database=warehouse.database, table=temporary_table(name, token), location=location
    )
    return Prepared(skip=False, sql=statement, token=token)


def swap(warehouse: MartContext, name: str, *, token: str) -> str:
    """Make what the query wrote the mart. Answers `done`, or `superseded` where a newer refresh was faster.

    Raises ContractError where the rows break a test of the mart: it stays as it was.
    """
    mart = warehouse.mart(name)
    if mart.materialized == "view":
        return _mark_view(warehouse, mart)
    record = get_json(warehouse.s3, bucket=warehouse.lake_bucket, key=_record(name, token))
    if record is None:
        raise TransientError(f"mart {name}: refresh {token} was never prepared")
    refresh = _refresh(record)
    temporary = temporary_table(name, token)
    verdict = "superseded"  # by a deployment, if the mart's definition has changed since
    try:
        if refresh.definition == mart.digest:
            checks = [lake.Constraint(rule=test.rule, columns=test.columns) for test in mart.tests]
            verdict = lake.swap(
                warehouse.catalog,
                database=warehouse.database,
                temporary=temporary,
                refresh=refresh,
                checks=checks,
                sleep=warehouse.sleep,
            )
    except lake.BrokenPromiseError as broken:
        lake.forget(warehouse.catalog, database=warehouse.database, temporary=temporary)
        raise ContractError(
            f"{broken}; the mart keeps its former rows",
            file=f"marts/{name}.sql",
            place="tests",
            remedy="correct the SELECT, or the test",
        ) from broken
    lake.forget(warehouse.catalog, database=warehouse.database, temporary=temporary)
    return verdict


def temporary_table(mart: str, token: str) -> str:
    """Name the table that Athena makes for one refresh."""
    return f"{mart}__ctas_{token}"


def _prepare_view(warehouse: MartContext, mart: Mart) -> Prepared:
    for source in mart.sources:
        if not _entry(warehouse, source):
            return Prepared(skip=True, reason=f"table {source} holds nothing yet")
    if _entry(warehouse, mart.name).get("Parameters", {}).get(lake.DEFINITION) == mart.digest:
        return Prepared(skip=True, reason=CURRENT)
    return Prepared(skip=False, sql=sql.view(mart, database=warehouse.database), token=mart.digest)


def _mark_view(warehouse: MartContext, mart: Mart) -> str:
    entry = _entry(warehouse, mart.name)
    if not entry:
        raise TransientError(f"view {mart.name} is not there: its query has not succeeded")
    table = {field: entry[field] for field in _ENTRY_FIELDS if field in entry}
    table["Parameters"] = {**entry.get("Parameters", {}), lake.DEFINITION: mart.digest}
    warehouse.catalog.glue.update_table(DatabaseName=warehouse.database, TableInput=table)  # type: ignore[arg-type]
    return "done"


def _entry(warehouse: MartContext, table: str) -> Mapping[str, Any]:
    try:
        found = warehouse.catalog.glue.get_table(DatabaseName=warehouse.database, Name=table)
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return {}
        raise
    return dict(found["Table"])


def _record(mart: str, token: str) -> str:
    return f"{RUNS}{mart}/{token}.json"


def _refresh(record: Mapping[str, Any]) -> lake.Refresh:
    sources = {name: lake.SourceTable(**source) for name, source in record["sources"].items()}
    return lake.Refresh(**{**opened("run", record, what=f"the refresh of mart {record['mart']}"), "sources": sources})
