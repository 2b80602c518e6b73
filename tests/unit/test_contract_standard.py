"""Each feature of the standard's own example contracts, in contracts of this test: read, or refused by name."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import open_data_contract_standard
import pytest
import yaml

from sluice.contract.compile import compile_plan
from sluice.contract.odcs import parse
from sluice.contract.plan import Plan
from sluice.errors import ContractError

BASE: dict[str, Any] = {
    "apiVersion": "v3.2.0", "kind": "DataContract", "id": "b7", "version": "2.0.0", "status": "active", "name": "sales",
}  # fmt: skip
KEY: dict[str, Any] = {"name": "id", "logicalType": "string", "primaryKey": True, "primaryKeyPosition": 1}


def sales(*properties: dict[str, Any], **table: Any) -> dict[str, Any]:
    return {**BASE, "schema": [{"name": "sales", "physicalType": "table", "properties": [KEY, *properties], **table}]}


def text(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": "string", **more}


LINK = [{"url": "https://example.org/a", "type": "businessDefinition"}]
READ: dict[str, dict[str, Any]] = {
    "links to definitions": sales(text("a", authoritativeDefinitions=LINK), authoritativeDefinitions=LINK),
    "custom properties of others": {
        **sales(
            text("a", customProperties=[{"property": "encoding", "value": "utf-8"}]),
            customProperties=[{"property": "tier", "value": "hot"}],
        ),
        "customProperties": [{"property": "owner", "value": ["x"]}],
        "contractCreatedTs": "2026-04-29T10:00:00Z",
    },
    "descriptions and business names": sales(
        text("a", businessName="A", description="x", examples=["1"], tags=["t"], criticalDataElement=False),
        businessName="Sales",
        dataGranularityDescription="one a day",
        tags=["t"],
    ),
    "price": {**sales(), "price": {"priceAmount": 9.5, "priceCurrency": "EUR", "priceUnit": "month"}},
    "no missing values": sales(text("a", quality=[{"metric": "nullValues", "mustBe": 0, "type": "library"}])),
    "some invalid values": sales(
        text(
            "a",
            quality=[
                {
                    "metric": "invalidValues",
                    "mustBeLessOrEqualTo": 5,
                    "unit": "percent",
                    "arguments": {"validValues": ["", None, "n/a"]},
                    "dimension": "conformity",
                }
            ],
        )
    ),
    "volume, with a schedule": sales(
        quality=[
            {"metric": "rowCount", "mustBeGreaterThan": 1000, "schedule": "0 20 * * *", "scheduler": "cron"},
            {"type": "text", "description": "Ask the shop."},
        ]
    ),
    "relationships": sales(
        text("customer", relationships=[{"to": "customers.id", "type": "foreignKey"}]),
        text("seq"),
        relationships=[
            {"type": "foreignKey", "from": ["sales.customer", "sales.seq"], "to": ["addr.customer", "addr.seq"]}
        ],
    ),
    "roles, support, team, levels": {
        **sales(),
        "roles": [{"role": "r", "access": "read", "firstLevelApprovers": "a"}],
        "support": [{"channel": "#help", "tool": "slack", "url": "https://example.org"}],
        "team": {"name": "core", "members": [{"username": "ada", "role": "Owner", "dateIn": "2024-01-15"}]},
    },
    "enumerations with labels": sales(
        text("a", enum=[{"value": "x", "label": "X", "tags": ["first"]}, {"value": "y", "description": "Y"}]),
        {"name": "n", "logicalType": "integer", "enum": [{"value": 1, "label": "One"}, {"value": 2}]},
    ),
    "deprecated parts, nested": sales(
        {"name": "c", "logicalType": "object", "properties": [text("old", deprecated=True)]}, deprecated=True
    ),
    "objects in arrays": sales(
        {
            "name": "x",
            "logicalType": "array",
            "physicalType": "array",
            "items": {
                "logicalType": "object",
                "physicalType": "object",
                "properties": [text("zip", physicalType="VARCHAR(15)")],
            },
        }
    ),
    "several partitions": sales(
        text("country", partitioned=True, partitionKeyPosition=1, primaryKey=False, primaryKeyPosition=-1),
        {"name": "year", "logicalType": "integer", "partitioned": True, "partitionKeyPosition": 2},
    ),
    "dimensions": sales(
        {"name": "at", "logicalType": "date", "physicalType": "TIMESTAMP"},
        {
            "name": "month",
            "semanticType": "dimension",
            "logicalType": "date",
            "transformLogic": "DATE_TRUNC('MONTH', at)",
        },
    ),
    "a server that is no file": {
        **sales(),
        "servers": [{"server": "k", "type": "kafka", "format": "avro", "host": "h:1"}],
    },
    "a server of files": {
        **sales(),
        "servers": [{"server": "a", "type": "azure", "location": "az://x", "format": "parquet", "delimiter": "array"}],
    },
    "types and their options": sales(
        text("account", logicalTypeOptions={"minLength": 11, "maxLength": 11, "pattern": "ACC[0-9]{8}"}),
        {
            "name": "day",
            "logicalType": "date",
            "logicalTypeOptions": {"exclusiveMinimum": "2020-01-01", "maximum": "2021-01-01", "format": "yyyy-MM-dd"},
        },
        {
            "name": "at",
            "logicalType": "date",
            "physicalType": "timestamp",
            "logicalTypeOptions": {"minimum": "2020-01-01 00:00:00", "format": "yyyy-MM-dd HH:mm:ss"},
        },
        {"name": "amount", "logicalType": "number", "physicalType": "double", "logicalTypeOptions": {"format": "f32"}},
        {"name": "age", "logicalType": "integer", "logicalTypeOptions": {"exclusiveMaximum": 100, "format": "i64"}},
        {"name": "open", "logicalType": "boolean", "physicalType": "bool"},
        {
            "name": "latest",
            "logicalType": "array",
            "items": {"logicalType": "number"},
            "logicalTypeOptions": {"minItems": 0, "maxItems": 3, "uniqueItems": True},
        },
    ),
    "types of a database": sales(
        {"name": "n", "logicalType": "number", "physicalType": "serial"},
        {"name": "begins", "logicalType": "date", "physicalType": "time"},
        text("code", physicalType="bpchar"),
        text("guid", physicalType="uuid"),
    ),
    "classifications and encrypted names": sales(text("a", classification="restricted", encryptedName="enc_a")),
}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a metric of v3.0 that is gone": (
        sales(text("a", quality=[{"type": "library", "rule": "between"}])),
        "the metric 'between' is not known",
        "schema[0].properties[1].quality[0]",
    ),
    "a check of another engine": (
        sales(text("a", quality=[{"type": "custom", "engine": "soda", "implementation": {"type": "x"}}])),
        "quality checks of type 'custom' are not run",
        "schema[0].properties[1].quality[0]",
    ),
    "variables in a query": (
        sales(quality=[{"type": "sql", "query": "SELECT COUNT(*) FROM ${TARGET_TABLE}", "mustBe": 0}]),
        "${TARGET_TABLE} is not understood",
        "schema[0].quality[0]",
    ),
    "a statement as transformLogic": (
        sales(text("a", transformLogic="sel t1.a from t1, t2 where t1.a = t2.a")),
        "transformLogic: it is",
        "schema[0].properties[1]",
    ),
    "maps": (
        sales(
            {
                "name": "m",
                "logicalType": "map",
                "map": {"key": {"logicalType": "string"}, "value": {"logicalType": "string"}},
            }
        ),
        "maps are not supported",
        "schema[0].properties[1].map",
    ),
    "measures": (
        sales({"name": "m", "logicalType": "number", "semanticType": "measure", "transformLogic": "SUM(n)"}),
        "a measure is no column",
        "schema[0].properties[1].semanticType",
    ),
    "an object of anything": (
        sales({"name": "o", "logicalType": "object", "physicalType": "json"}),
        "an object without properties",
        "schema[0].properties[1]",
    ),
    "an array of anything": (
        sales({"name": "o", "logicalType": "array", "physicalType": "list"}),
        "an array without items",
        "schema[0].properties[1]",
    ),
    "a decimal of any size": (
        sales({"name": "n", "logicalType": "number", "physicalType": "numeric"}),
        "without precision and scale",
        "schema[0].properties[1]",
    ),
    "names in camel case": (sales(text("UniqueID")), "named 'UniqueID'", "schema[0].properties[1]"),
    "an object in camel case": (
        {**BASE, "schema": [{"name": "Air_Quality", "properties": [KEY]}]},
        "named 'Air_Quality'",
        "schema[0]",
    ),
    "several objects, none of which is meant": (
        {**BASE, "schema": [{"name": "a", "properties": [KEY]}, {"name": "b", "properties": [KEY]}]},
        "2 schema objects",
        "schema",
    ),
    "a topic without properties": ({**BASE, "schema": [{"name": "orders"}]}, "has no properties", "schema[0]"),
    "levels alone": ({**BASE, "schema": []}, "describes no object", "schema"),
    "unknown fields": (
        sales(text("a", quality=[{"metric": "nullValues", "mustBe": 0, "undefined": "x"}])),
        "unknown field 'undefined'",
        "schema[0].properties[1].quality[0].undefined",
    ),
}


def plan(document: dict[str, Any]) -> Plan:
    text = yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)
    return compile_plan(parse(text, file="sales.odcs.yaml"))


@pytest.mark.parametrize("feature", READ)
def test_a_feature_is_read(feature: str) -> None:
    schema = json.loads((files(open_data_contract_standard) / "schema.json").read_text(encoding="utf-8"))
    document = json.loads(json.dumps(READ[feature]))
    errors = jsonschema.Draft201909Validator(schema).iter_errors(document)
    assert [f"{error.json_path}: {error.message}" for error in errors] == [], "not as the standard says it"
    made = plan(document)
    assert made.dataset == "sales"
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize("feature", REFUSED)
def test_a_feature_is_refused_by_name_and_place(feature: str) -> None:
    document, message, place = REFUSED[feature]
    with pytest.raises(ContractError) as caught:
        plan(document)
    assert message in caught.value.message
    assert caught.value.place.startswith(f"{place} (line ")
    assert caught.value.remedy
