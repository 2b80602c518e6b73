"""Objects and arrays: JSON text to structs and lists, strictly, with the path to what is wrong."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.contract.plan import PROVENANCE, Plan
from sluice.errors import ContractError
from sluice.kernel.rehearse import rehearse
from tests.unit.contract_case import compiled, refusal
from tests.unit.kernel_case import run

ID: dict[str, Any] = {"name": "id", "logicalType": "integer", "primaryKey": True}
ADDRESS: dict[str, Any] = {
    "name": "address",
    "logicalType": "object",
    "properties": [
        {"name": "zip", "logicalType": "string", "required": True, "logicalTypeOptions": {"pattern": "^[0-9]{5}$"}},
        {
            "name": "geo",
            "physicalName": "geo/point",
            "logicalType": "object",
            "properties": [{"name": "lat", "logicalType": "number", "physicalType": "decimal(20,18)"}],
        },
    ],
}
TAGS: dict[str, Any] = {
    "name": "tags",
    "logicalType": "array",
    "items": {"logicalType": "string", "required": True},
    "logicalTypeOptions": {"minItems": 1, "maxItems": 3, "uniqueItems": True},
}
LINES: dict[str, Any] = {
    "name": "lines",
    "logicalType": "array",
    "items": {
        "logicalType": "object",
        "properties": [
            {"name": "sku", "logicalType": "string", "required": True},
            {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1}},
            {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"defaultTimezone": "Europe/Berlin"}},
        ],
    },
}


def orders(**options: Any) -> Plan:
    return compiled([ID, ADDRESS, TAGS, LINES], **{"format": "json", "missingColumns": "null", **options})


def rejects(folder: Path, **record: Any) -> list[tuple[Any, ...]]:
    case = run(folder, json.dumps({"id": 1, **record}), orders())
    assert case.load.rows_read == 1
    return case.rejects('"column", rule, reason')


def test_types_are_icebergs_with_ids_of_their_own() -> None:
    kinds = {column.name: column.type for column in orders().columns}
    assert json.loads(kinds["tags"]) == {
        "type": "list", "element-id": 1, "element": "string", "element-required": False,
    }  # fmt: skip
    assert [field["name"] for field in json.loads(kinds["address"])["fields"]] == ["zip", "geo"]


def test_values_inside_are_cast_like_columns(tmp_path: Path) -> None:
    text = """{"id": 1, "address": {"geo/point": {"lat": 0.123456789012345678}, "zip": "12345"}, "tags": ["a", ""],
    "lines": [{"sku": "x", "n": "2", "at": "2024-07-01 12:00:00"}, {"sku": "y", "at": "2024-07-01T12:00:00Z"}, null]}"""
    case = run(tmp_path, text.replace("\n", " "), orders())
    assert case.rows("address, tags, lines") == [
        (
            {"zip": "12345", "geo": {"lat": Decimal("0.123456789012345678")}},
            ["a", ""],
            [
                {"sku": "x", "n": 2, "at": dt.datetime.fromisoformat("2024-07-01T10:00:00")},
                {"sku": "y", "n": None, "at": dt.datetime.fromisoformat("2024-07-01T12:00:00")},
                None,
            ],
        )
    ]


@pytest.mark.parametrize(
    ("record", "column", "rule", "reason"),
    [
        ({"address": {"zip": "1"}}, "address", "pattern", "expected address.zip: text like ^[0-9]{5}$, got '"),
        ({"address": {}}, "address", "required", "expected address.zip: a value, got '{}'"),
        ({"address": []}, "address", "type", "address: expected an object in JSON, got something else"),
        ({"address": {"zip": {}}}, "address", "type", "address.zip: expected text, got an object"),
        (
            {"address": {"zip": "12345", "geo/point": {"lat": "north"}}}, "address", "type",
            "address.geo.lat: expected decimal(20,18), got 'north'",
        ),
        (
            {"address": {"zip": "12345", "geo/point": {"lat": 1e2}}}, "address", "type",
            "address.geo.lat: expected decimal(20,18), got '100.0'",
        ),
        (
            {"address": {"zip": "12345", "street": 1}}, "address", "type",
            "address: expected the members of the contract, got street, too",
        ),
        ({"tags": {}}, "tags", "type", "tags: expected an array in JSON, got something else"),
        ({"tags": [["a"]]}, "tags", "type", "tags[0]: expected text, got an array"),
        ({"tags": ["a", None]}, "tags", "required", "expected tags[]: a value, got '[\"a\",null]'"),
        ({"tags": []}, "tags", "minItems", "expected at least 1 items, got '[]'"),
        ({"tags": list("abcd")}, "tags", "maxItems", "expected at most 3 items, got"),
        ({"tags": ["a", "a"]}, "tags", "uniqueItems", "expected each item once, got"),
        ({"lines": [{"sku": "a"}, {"n": 1}]}, "lines", "required", "expected lines[].sku: a value, got"),
        ({"lines": [{"sku": "a", "n": 0}]}, "lines", "minimum", "expected lines[].n: at least 1, got"),
        ({"lines": [{"sku": "a"}, {"sku": "b", "n": 1.5}]}, "lines", "type", "lines[1].n: expected a whole number"),
        ({"lines": [{"sku": "a", "at": "2024-03-31 02:30:00"}]}, "lines", "type", "lines[0].at: expected a timestamp"),
        ({"lines": [5]}, "lines", "type", "lines[0]: expected an object, got '5'"),
    ],
)  # fmt: skip
def test_what_is_wrong_inside_is_named_with_its_path(
    tmp_path: Path, record: dict[str, Any], column: str, rule: str, reason: str
) -> None:
    ((found, broken, words),) = rejects(tmp_path, **record)
    assert (found, broken) == (column, rule)
    assert words.startswith(reason)


def test_unknown_members_can_be_ignored(tmp_path: Path) -> None:
    text = json.dumps({"id": 1, "address": {"zip": "12345", "street": 1}})
    case = run(tmp_path, text, orders(unknownColumns="ignore"))
    assert case.rows("address") == [({"zip": "12345", "geo": None},)]


def test_cells_of_a_delimited_file_hold_json(tmp_path: Path) -> None:
    cells = [
        '{"zip":"12345"}', "null", '{"zip":"12345",}', '{"zip":NaN}', '{"zip":"1" "2"}', "{'zip':'12345'}",
        '{"zip":"12345","zip":"12345"}', '{"zip":"nan"}', "",
    ]  # fmt: skip
    quoted = [cell.replace('"', '""') for cell in cells]
    text = "id,address\n" + "".join(f'{number},"{cell}"\n' for number, cell in enumerate(quoted))
    case = run(tmp_path, text, compiled([ID, ADDRESS]))
    assert case.rows("id, address") == [(0, {"zip": "12345", "geo": None}), (8, None)]
    assert case.rejects("row_number - 1, rule") == [
        (1, "type"), (2, "type"), (3, "type"), (4, "type"), (5, "type"), (6, "type"), (7, "pattern"),
    ]  # fmt: skip


def test_parquet_keeps_its_digits(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    duckdb.execute(f"""
    COPY (SELECT 1 AS id, {{'zip': '12345', 'geo/point': {{'lat': 0.123456789012345678::DECIMAL(20,18)}}}} AS address,
        ['a', 'b'] AS tags, [{{'sku': 'x', 'n': 3::BIGINT, 'at': TIMESTAMP '2024-07-01 12:00:00'}}] AS lines)
    TO '{path}' (FORMAT parquet)""")
    case = run(tmp_path, path.read_bytes(), orders(format="parquet"))
    assert case.rejects("reason") == []
    assert case.rows("address, tags, lines") == [
        (
            {"zip": "12345", "geo": {"lat": Decimal("0.123456789012345678")}},
            ["a", "b"],
            [{"sku": "x", "n": 3, "at": dt.datetime.fromisoformat("2024-07-01T10:00:00")}],
        )
    ]


def test_nested_fields_carry_their_ids(tmp_path: Path) -> None:
    names = [
        *("id", "address", "tags", "lines", "address.zip", "address.geo", "address.geo.lat", "tags.element"),
        *("lines.element", "lines.element.sku", "lines.element.n", "lines.element.at"),
        *(name for name, _ in PROVENANCE),
    ]
    ids = {name: number for number, name in enumerate(names, 1)}
    case = run(tmp_path, json.dumps({"id": 1, "tags": ["a"]}), orders(), field_ids=ids)
    (file,) = case.outcome.files
    schema = duckdb.execute("SELECT name, field_id FROM parquet_schema(?)", [str(file.path)]).fetchall()
    leaves = {
        name.rpartition(".")[2]: number for name, number in ids.items() if name not in {"tags.element", "lines.element"}
    }
    assert {name: number for name, number in schema if name in leaves} == leaves
    assert [number for name, number in schema if name == "element"] == [ids["tags.element"], ids["lines.element"]]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"name": "a", "logicalType": "object"}, "an object without properties"),
        ({"name": "a", "logicalType": "array", "primaryKey": True, "items": {"logicalType": "string"}}, "as key"),
        ({"name": "a", "logicalType": "array", "items": {"logicalType": "string", "unique": True}}, "unique inside"),
        ({**TAGS, "partitioned": True}, "cannot be partitioned"),
        ({"name": "a", "logicalType": "object", "properties": [{"name": "B", "logicalType": "string"}]}, "named 'B'"),
        ({**ADDRESS, "properties": [*ADDRESS["properties"], ADDRESS["properties"][0]]}, "zip stands twice"),
        ({"name": "a", "logicalType": "string", "logicalTypeOptions": {"minItems": 1}}, "minItems does not apply"),
        ({**ADDRESS, "logicalTypeOptions": {"required": ["town"]}}, "required names 'town'"),
        ({**ADDRESS, "logicalTypeOptions": {"maxProperties": 5}}, "unknown option 'maxProperties'"),
    ],
)
def test_what_nested_columns_cannot_be_is_refused(item: dict[str, Any], message: str) -> None:
    assert message in refusal([ID, item]).message


def test_members_that_an_object_requires_are_required() -> None:
    plain = {"name": "zip", "logicalType": "string"}
    listed = {**ADDRESS, "properties": [plain], "logicalTypeOptions": {"required": ["zip"]}}
    said = {**ADDRESS, "properties": [{**plain, "required": True}]}
    assert compiled([ID, listed]) == compiled([ID, said])


def test_what_is_inside_can_be_derived_into_columns_of_its_own(tmp_path: Path) -> None:
    def derived(name: str, kind: str, expression: str) -> dict[str, Any]:
        return {"name": name, "logicalType": kind, "transformLogic": expression}

    made = compiled(
        [
            ID, ADDRESS, TAGS,
            derived("town", "string", "left(address.zip, 2)"), derived("lat", "number", "address.geo.lat"),
            derived("tagged", "boolean", "list_contains(tags, 'x')"), derived("count", "integer", "len(tags)"),
        ],
        format="json", missingColumns="null",
    )  # fmt: skip
    rehearse(made, file="things.odcs.yaml")
    text = json.dumps({"id": 1, "address": {"zip": "12345", "geo/point": {"lat": 0.5}}, "tags": ["x", "y"]})
    case = run(tmp_path, text + '\n{"id": 2}', made)
    assert case.rows("town, lat, tagged, count") == [("12", 0.5, True, 2), (None, None, None, None)]
    assert "there is no column nope.zip" in refusal([ID, ADDRESS, derived("a", "string", "nope.zip")]).message
    with pytest.raises(ContractError, match="column a"):
        rehearse(compiled([ID, ADDRESS, derived("a", "string", "address.nope")]), file="things.odcs.yaml")


NUMBERS = st.one_of(st.integers(-(1 << 40), 1 << 40), st.decimals(-99, 99, places=6).map(str))
TEXTS = st.text(st.sampled_from('a"\\,[]{}:1 .e-\n\té😀'), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(st.lists(st.one_of(st.none(), TEXTS), max_size=4), min_size=1, max_size=6), digits=st.lists(NUMBERS)
)
def test_texts_and_digits_inside_json_are_what_python_reads(values: list[list[str | None]], digits: list[Any]) -> None:
    numbers = f"[{','.join(map(str, digits))}]"
    rows = [
        {"id": number, "texts": json.dumps(value, ensure_ascii=number % 2 == 0), "digits": numbers}
        for number, value in enumerate(values)
    ]
    plan = compiled(
        [
            ID,
            {"name": "texts", "logicalType": "array", "items": {"logicalType": "string"}},
            {
                "name": "digits",
                "logicalType": "array",
                "items": {"logicalType": "number", "physicalType": "decimal(38,6)"},
            },
        ],
        format="json",
    )
    with tempfile.TemporaryDirectory() as folder:
        case = run(Path(folder), "\n".join(map(json.dumps, rows)), plan)
        assert case.rejects("reason") == []
        assert case.rows("texts, digits") == [(value, [Decimal(str(number)) for number in digits]) for value in values]
