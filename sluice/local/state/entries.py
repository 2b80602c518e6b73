"""Ledger items, entries of the Glue catalog, and parameters: between moto and the journal, whole after each change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.glue.models import FakeTable, glue_backends

from sluice.local.principals import ACCOUNT
from sluice.local.request import Request
from sluice.local.state.journal import Entry


def items_after(request: Request, region: str) -> Iterator[Entry]:
    """Yield the present items of DynamoDB that a call has written."""
    backend = dynamodb_backends[ACCOUNT][region]
    for name, attributes in _written(request.operation, request.fields):
        table = backend.tables.get(name)
        if table is None:
            continue
        names = [part for part in (table.hash_key_attr, table.range_key_attr) if part]
        key = {part: attributes[part] for part in names if part in attributes}
        if len(key) == len(names):
            item = table.get_item(*(DynamoType(value) for value in key.values()))
            yield {
                "kind": "item", "table": name, "key": key, "item": item.to_json()["Attributes"] if item else None,
            }  # fmt: skip


def _written(operation: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield table and key (or item) of each place that a call writes to."""
    match operation:
        case "PutItem":
            yield fields["TableName"], fields["Item"]
        case "UpdateItem" | "DeleteItem":
            yield fields["TableName"], fields["Key"]
        case "TransactWriteItems":
            for step in fields["TransactItems"]:
                for part in step.values():
                    yield part["TableName"], part.get("Key") or part.get("Item", {})
        case "BatchWriteItem":
            for table, requests in fields["RequestItems"].items():
                for request in requests:
                    for part in request.values():
                        yield table, part.get("Key") or part.get("Item", {})


def restore_items(entries: Iterable[Entry], region: str) -> None:
    """Put items into the tables that are there."""
    tables = dynamodb_backends[ACCOUNT][region].tables
    for entry in entries:
        if table := tables.get(entry["table"]):
            table.put_item(entry["item"], overwrite=True)


def tables_after(request: Request, region: str) -> Iterator[Entry]:
    """Yield the present entries of the Glue tables that a call has written."""
    fields = request.fields
    match request.operation:
        case "CreateTable" | "UpdateTable":
            names = [fields["TableInput"]["Name"]]
        case "DeleteTable":
            names = [fields["Name"]]
        case "BatchDeleteTable":
            names = list(fields["TablesToDelete"])
        case _:
            return
    database = glue_backends[ACCOUNT][region].databases.get(fields["DatabaseName"])
    for name in names if database else ():
        table = database.tables.get(name)
        yield {
            "kind": "table", "database": fields["DatabaseName"], "name": name,
            "input": table.versions[str(table._current_version)] if table else None,  # noqa: SLF001
            "version": table._current_version if table else 0,  # noqa: SLF001
            "created": table.created_time.isoformat() if table else "",
            "updated": table.updated_time.isoformat() if table and table.updated_time else "",
        }  # fmt: skip


def restore_tables(entries: Iterable[Entry], region: str) -> None:
    """Put table entries into the databases that are there, at the version that they had."""
    databases = glue_backends[ACCOUNT][region].databases
    for entry in entries:
        if database := databases.get(entry["database"]):
            table = FakeTable(entry["database"], entry["name"], entry["input"], catalog_id=ACCOUNT)
            table.versions = {str(entry["version"]): entry["input"]}
            table._current_version = entry["version"]  # noqa: SLF001
            table.created_time = datetime.fromisoformat(entry["created"])
            table.updated_time = datetime.fromisoformat(entry["updated"]) if entry["updated"] else None
            database.tables[entry["name"]] = table


def parameters_after(request: Request) -> Iterator[Entry]:
    """Yield the SSM parameter as a call has left it."""
    fields = request.fields
    match request.operation:
        case "PutParameter":
            value = fields["Value"]
            yield {"kind": "parameter", "name": fields["Name"], "type": fields.get("Type", "String"), "value": value}
        case "DeleteParameter":
            yield {"kind": "parameter", "name": fields["Name"], "type": "", "value": None}


def restore_parameters(entries: Iterable[Entry], ssm: Any) -> None:
    """Put parameters."""
    for entry in entries:
        ssm.put_parameter(Name=entry["name"], Type=entry["type"], Value=entry["value"], Overwrite=True)
