"""What a contract file may say, and how a refusal points at what it may not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from sluice.contract.compile import compile_plan
from sluice.contract.odcs import parse
from sluice.contract.plan import Column, Plan, Reading
from sluice.errors import ContractError

ORDERS: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "orders",
    "version": "1.2.0",
    "status": "active",
    "schema": [
        {
            "name": "orders",
            "description": "Orders of\nthe shop.",
            "customProperties": [{"property": "sluice", "value": {"mode": "append"}}],
            "properties": [
                {"name": "order_id", "logicalType": "integer", "primaryKey": True},
                {"name": "state", "logicalType": "string", "physicalName": "State"},
                {"name": "amount", "logicalType": "number", "physicalType": "decimal(10,2)"},
            ],
        }
    ],
}


def orders(change: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
    document = copy.deepcopy(ORDERS)
    change(document)
    return yaml.safe_dump(document, sort_keys=False)


def plan(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Plan:
    return compile_plan(parse(orders(change), file="orders.odcs.yaml"))


def refusal(text: str) -> ContractError:
    with pytest.raises(ContractError) as caught:
        compile_plan(parse(text, file="orders.odcs.yaml"))
    assert caught.value.file == "orders.odcs.yaml"
    assert caught.value.remedy
    return caught.value


def options(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["schema"][0]["customProperties"][0]["value"]
    return found


def prop(document: dict[str, Any], position: int) -> dict[str, Any]:
    found: dict[str, Any] = document["schema"][0]["properties"][position]
    return found


def test_a_contract_becomes_a_plan() -> None:
    made = plan()
    assert (made.dataset, made.version, made.mode, made.on_delete) == ("orders", "1.2.0", "append", "keep")
    assert made.description == "Orders of the shop."
    assert made.primary_key == ("order_id",)
    assert [(column.name, column.source, column.type, column.required) for column in made.columns] == [
        ("order_id", "order_id", "int", True),
        ("state", "State", "string", False),
        ("amount", "amount", "decimal(10,2)", False),
    ]
    assert made.columns[1] == Column(name="state", source="State", type="string", cast='"State"', expected="text")
    assert made.reading == Reading()
    assert Plan.from_json(made.to_json()) == made


def test_the_same_contract_gives_the_same_digest_and_another_version_another() -> None:
    assert plan().digest == plan().digest
    assert plan().digest != plan(lambda document: document.update(version="1.2.1")).digest


@pytest.mark.parametrize("version", ["v3.0.0", "v3.0.2", "v3.1.0", "v3.2.0"])
def test_all_third_versions_of_the_standard_are_read(version: str) -> None:
    assert plan(lambda document: document.update(apiVersion=version)).dataset == "orders"


def test_reading_options_come_from_the_custom_property() -> None:
    made = plan(
        lambda document: options(document).update(
            mode="merge",
            sequenceBy="amount",
            maxRejectShare=0.05,
            delimiter=";",
            quote="'",
            escape="\\",
            header=False,
            skipLines=2,
            encoding="ISO-8859-1",
            compression="gzip",
            nullTexts=["", "NA", 0],
            unknownColumns="ignore",
            missingColumns="null",
        )
    )
    assert (made.mode, made.sequence_by, made.max_reject_share) == ("merge", "amount", 0.05)
    assert made.reading == Reading(
        delimiter=";",
        quote="'",
        escape="\\",
        header=False,
        skip_lines=2,
        encoding="latin-1",
        compression="gzip",
        null_texts=("", "NA", "0"),
        unknown_columns="ignore",
        missing_columns="null",
    )


def test_reading_options_come_from_the_servers_where_these_agree() -> None:
    server = {"server": "raw", "type": "s3", "location": "s3://raw/orders/", "format": "tsv", "encoding": "UTF-16"}
    made = plan(lambda document: document.update(servers=[server, {**server, "server": "copy"}]))
    assert (made.reading.delimiter, made.reading.encoding) == ("\t", "utf-16")
    apart = refusal(orders(lambda document: document.update(servers=[server, {**server, "format": "csv"}])))
    assert "the servers disagree on format: csv, tsv" in apart.message
    both = plan(lambda document: (document.update(servers=[server]), options(document).update(format="csv")))
    assert both.reading.delimiter == ","


@pytest.mark.parametrize(
    ("word", "reading"),
    [
        ("jsonl", Reading(format="json", null_texts=())),
        ("parquet", Reading(format="parquet", null_texts=())),
        ("xlsx", Reading(format="xlsx")),
    ],
)
def test_formats_that_tell_a_missing_value_from_an_empty_text_keep_both(word: str, reading: Reading) -> None:
    assert plan(lambda document: options(document).update(format=word)).reading == reading


def test_of_several_schema_objects_the_file_is_about_the_one_it_is_named_after() -> None:
    text = orders(
        lambda document: document["schema"].append(
            {"name": "items", "properties": [{"name": "id", "logicalType": "integer", "required": "?"}]}
        )
    )
    assert compile_plan(parse(text.replace("'?'", "true"), file="contracts/items.odcs.yaml")).dataset == "items"
    assert compile_plan(parse(text.replace("'?'", "true"), file="contracts/orders.odcs.yaml")) == plan()


def test_custom_properties_of_other_tools_are_left_alone() -> None:
    others = [{"property": "ingestTeam", "value": "x"}, {"property": "sluice", "vendor": "canal", "value": "y"}]
    assert plan(lambda document: document["schema"][0]["customProperties"].extend(others)) == plan()


def test_scalars_are_read_as_yaml_1_2() -> None:
    text = orders().replace("logicalType: string\n", "logicalType: string\n    enum:\n%s", 1) % "".join(
        f"    - value: {word}\n" for word in ("NO", "on", "12:30", "2013-01-01", "007", "1_000")
    )
    (rule,) = [rule for rule in compile_plan(parse(text, file="f")).rules if rule.name == "enum"]
    assert rule.predicate == "\"state\" IN ('NO', 'on', '12:30', '2013-01-01', '007', '1_000')"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: &x [1]\nb: *x\n", "alias *x", "line 2"),
        ("kind: a\nkind: b\n", "'kind' stands twice", "line 2"),
        ("a: {b: 1, b: 2}\n", "'b' stands twice", "a (line 1)"),
        ("a: [1\n", "not valid YAML", "line 2"),
        ("a: 1\n---\nb: 2\n", "not valid YAML", "line 2"),
        ("a: !!python/object:os.system {}\n", "not valid YAML", "line 1"),
        ("a: " + "[" * 100 + "]" * 100, "nested deeper", "line 1"),
        ("? [1, 2]\n: 3\n", "plain word", "line 1"),
        ("- 1\n", "no mapping", ""),
        ("", "no mapping", ""),
        ("a: \x07\n", "not valid YAML", ""),
        ("a: " + "x" * (5 << 20), "more than", ""),
    ],
)
def test_yaml_that_could_mislead_or_blow_up_is_refused(text: str, message: str, place: str) -> None:
    error = refusal(text)
    assert message in error.message
    assert error.place == place


def test_an_alias_bomb_is_refused_before_it_unfolds() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert "alias" in refusal(bomb).message


# What is changed, what the message must say, where it must point.
REFUSALS: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "unknown field": (
        lambda d: prop(d, 1).update(requird=True),
        "unknown field 'requird'",
        "schema[0].properties[1].requird",
    ),
    "unknown root field": (lambda d: d.update(shema=[]), "unknown field 'shema'", "shema"),
    "wrong type of field": (
        lambda d: prop(d, 1).update(required="often"),
        "boolean",
        "schema[0].properties[1].required",
    ),
    "version as number": (lambda d: d.update(version=1.0), "string", "version"),
    "no version": (lambda d: d.pop("version"), "no version", "version"),
    "old standard": (lambda d: d.update(apiVersion="v2.2.2"), "apiVersion is 'v2.2.2'", "apiVersion"),
    "other kind": (lambda d: d.update(kind="DataProduct"), "kind is 'DataProduct'", "kind"),
    "no schema": (lambda d: d.pop("schema"), "describes no object", "schema"),
    "two objects": (
        lambda d: (d["schema"].append({"name": "b"}), d["schema"][0].update(name="a")),
        "2 schema objects, none of them named 'orders'",
        "schema",
    ),
    "no properties": (lambda d: d["schema"][0].pop("properties"), "no properties", "schema[0]"),
    "unknown option": (lambda d: options(d).update(nullText=["NA"]), "unknown option 'nullText'", "nullText"),
    "option beside the mapping": (
        lambda d: d["schema"][0]["customProperties"].append({"property": "nullTexts", "value": ["NA"]}),
        "has no effect here",
        "schema[0].customProperties[1]",
    ),
    "options at the root": (
        lambda d: d.update(customProperties=[{"property": "sluice", "value": {}}]),
        "has no effect here",
        "customProperties[0]",
    ),
    "unknown mode": (lambda d: options(d).update(mode="upsert"), "mode is 'upsert'", "value.mode"),
    "two quotes": (lambda d: options(d).update(quote="||"), "quote is '||'", "value.quote"),
    "quote is delimiter": (lambda d: options(d).update(quote=","), "are not told apart", "value.delimiter"),
    "format to come": (lambda d: options(d).update(format="avro"), "'avro' is not supported yet", "value.format"),
    "delimiter of a workbook": (
        lambda d: options(d).update(format="xlsx", delimiter=";"),
        "delimiter has no effect on files of format xlsx",
        "value.delimiter",
    ),
    "unknown zone": (
        lambda d: prop(d, 1).update(logicalType="timestamp", logicalTypeOptions={"defaultTimezone": "Mars/Olympus"}),
        "'Mars/Olympus' is not known",
        "properties[1]",
    ),
    "share above one": (lambda d: options(d).update(maxRejectShare=5), "maxRejectShare is 5", "value.maxRejectShare"),
    "negative count": (lambda d: options(d).update(skipLines=-1), "skipLines is -1", "value.skipLines"),
    "flag as text": (lambda d: options(d).update(header="yes"), "header is 'yes'", "value.header"),
    "retract in merge": (
        lambda d: options(d).update(mode="merge", onDelete="retract"),
        "onDelete retract",
        "value.onDelete",
    ),
    "retract in replace": (
        lambda d: options(d).update(mode="replace", onDelete="retract"),
        "onDelete retract",
        "value.onDelete",
    ),
    "sequence in append": (lambda d: options(d).update(sequenceBy="amount"), "no effect in mode append", "schema[0]"),
    "sequence by nothing": (lambda d: options(d).update(mode="merge", sequenceBy="nope"), "names 'nope'", "schema[0]"),
    "merge without key": (
        lambda d: (options(d).update(mode="merge"), prop(d, 0).pop("primaryKey")),
        "without a primary key",
        "schema[0]",
    ),
    "map": (
        lambda d: prop(d, 1).update(logicalType="map", map={"key": {}, "value": {}}),
        "maps are not supported",
        "properties[1].map",
    ),
    "array of nothing": (lambda d: prop(d, 1).update(logicalType="array"), "an array without items", "properties[1]"),
    "no type": (lambda d: prop(d, 1).pop("logicalType"), "no logicalType", "properties[1]"),
    "relationship by path": (
        lambda d: prop(d, 1).update(relationships=[{"to": "schema/a/properties/b"}]),
        "refers to 'schema/a/properties/b'",
        "properties[1].relationships[0]",
    ),
    "relationship of unlike lengths": (
        lambda d: d["schema"][0].update(relationships=[{"from": "orders.state", "to": ["a.b", "a.c"]}]),
        "1 columns refer to 2",
        "schema[0].relationships[0]",
    ),
    "relationship of no column": (
        lambda d: d["schema"][0].update(relationships=[{"from": "orders.nope", "to": "a.b"}]),
        "it is about 'nope'",
        "schema[0].relationships[0]",
    ),
    "measure": (lambda d: prop(d, 2).update(semanticType="measure"), "measure", "properties[2].semanticType"),
    "unknown type option": (
        lambda d: prop(d, 1).update(logicalTypeOptions={"minLenght": 1}),
        "unknown option 'minLenght'",
        "properties[1].logicalTypeOptions.minLenght",
    ),
    "format that is no text": (
        lambda d: prop(d, 1).update(logicalType="date", logicalTypeOptions={"format": ["dd"]}),
        "format is ['dd']",
        "properties[1].logicalTypeOptions.format",
    ),
    "pattern that is no text": (
        lambda d: prop(d, 1).update(logicalTypeOptions={"pattern": {"a": None}}),
        "pattern is {'a': None}",
        "properties[1].logicalTypeOptions.pattern",
    ),
    "uniqueItems as text": (
        lambda d: prop(d, 1).update(
            logicalType="array", items={"logicalType": "string"}, logicalTypeOptions={"uniqueItems": "no"}
        ),
        "uniqueItems is 'no'",
        "properties[1].logicalTypeOptions.uniqueItems",
    ),
    "required that names no members": (
        lambda d: prop(d, 1).update(logicalTypeOptions={"required": True}),
        "required is True",
        "properties[1].logicalTypeOptions.required",
    ),
    "pattern of a check that is no text": (
        lambda d: prop(d, 1).update(quality=[{"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": [1]}}]),
        "the pattern is [1]",
        "properties[1].quality[0]",
    ),
    "check against no finite number": (
        lambda d: prop(d, 1).update(quality=[{"metric": "nullValues", "mustBeLessThan": 10**400}]),
        "mustBeLessThan",
        "properties[1].quality[0]",
    ),
    "custom check": (
        lambda d: prop(d, 1).update(quality=[{"type": "custom", "engine": "soda", "implementation": "x"}]),
        "type 'custom'",
        "properties[1].quality[0]",
    ),
    "unknown severity": (
        lambda d: prop(d, 1).update(quality=[{"metric": "nullValues", "mustBe": 0, "severity": "purple"}]),
        "severity is 'purple'",
        "properties[1].quality[0]",
    ),
    "unknown argument": (
        lambda d: prop(d, 1).update(quality=[{"metric": "invalidValues", "mustBe": 0, "arguments": {"values": ["a"]}}]),
        "unknown argument 'values'",
        "properties[1].quality[0]",
    ),
    "transform without partition": (
        lambda d: prop(d, 1).update(
            customProperties=[{"property": "sluice", "value": {"partitionTransform": "month"}}]
        ),
        "not partitioned",
        "properties[1].customProperties[0].value.partitionTransform",
    ),
    "position without key": (
        lambda d: prop(d, 1).update(primaryKeyPosition=1),
        "without primaryKey: true",
        "properties[1].primaryKeyPosition",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_cannot_be_honoured_is_refused_by_name_and_place(what: str) -> None:
    change, message, place = REFUSALS[what]
    error = refusal(orders(change))
    assert message in error.message
    assert place in error.place
    assert what == "no version" or "(line " in error.place


def test_a_typing_error_is_answered_with_the_nearest_word() -> None:
    assert refusal(orders(lambda document: prop(document, 1).update(requird=True))).remedy == "did you mean required?"


def test_the_place_names_the_line_of_the_mistake() -> None:
    text = orders(lambda document: prop(document, 2).update(logicalTypeOptions={"maximun": 3}))
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "maximun" in line)
    assert refusal(text).place == f"schema[0].properties[2].logicalTypeOptions.maximun (line {line})"


def test_checks_for_people_and_checks_that_the_key_implies_have_no_effect() -> None:
    checks = [
        {"type": "text", "description": "Ask the shop."},
        {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["order_id"]}},
    ]
    assert plan(lambda document: document["schema"][0].update(quality=checks)) == plan()


def test_the_contract_of_the_readme_compiles(root: Any) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    block = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    made = compile_plan(parse("\n".join(line[3:] for line in block.splitlines()), file="README.md"))
    assert made.columns
