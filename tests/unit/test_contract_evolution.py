"""What turns one contract into the next: every kind of change, whom it breaks, and what must be said out loud."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.contract.compile import compile_plan
from sluice.contract.evolution import Change, changes, compare, refuse_unsaid
from sluice.contract.odcs import parse
from sluice.contract.plan import Plan
from sluice.errors import ContractError

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.4.2
status: active
schema:
  - name: orders
    customProperties:
      - property: sluice
        value: {mode: merge, sequenceBy: placed, nullTexts: ["", "NA"]}
    properties:
      - {name: order_id, id: p1, logicalType: integer, primaryKey: true}
      - {name: placed, id: p2, logicalType: timestamp, partitioned: true, partitionKeyPosition: 1,
         customProperties: [{property: sluice, value: {partitionTransform: day}}]}
      - {name: amount, logicalType: number, physicalType: "decimal(10,2)", logicalTypeOptions: {minimum: 0}}
      - {name: state, logicalType: string, required: true, enum: [{value: open}, {value: paid}]}
      - {name: note, logicalType: string, logicalTypeOptions: {maxLength: 20}}
"""


def plan(*edits: tuple[str, str]) -> Plan:
    text = CONTRACT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return compile_plan(parse(text, file="orders.odcs.yaml"))


def found(*edits: tuple[str, str]) -> tuple[Change, ...]:
    return compare(plan(), plan(*edits))


NOTE = "      - {name: note, logicalType: string, logicalTypeOptions: {maxLength: 20}}\n"


@pytest.mark.parametrize(
    ("edits", "kinds"),
    [
        ([], []),
        ([("id: orders", "id: other"), ("version: 1.4.2", "version: 1.5.0")], []),
        ([(NOTE, NOTE + "      - {name: more, logicalType: date}\n")], ["AddColumn"]),
        ([(NOTE, "")], ["DropColumn"]),
        ([("name: order_id", "name: number, physicalName: order_id")], ["RenameColumn"]),
        ([("name: order_id", "name: number")], ["RenameColumn", "ValuesChanged"]),
        ([("name: note,", "name: remark,")], ["DropColumn", "AddColumn"]),
        ([("id: p1", "id: p9")], ["DropColumn", "AddColumn"]),
        ([("{name: order_id, id: p1,", "{name: order_id,")], []),
        ([("decimal(10,2)", "decimal(12,2)")], ["WidenType"]),
        ([("decimal(10,2)", "decimal(8,2)")], ["NarrowType"]),
        ([("decimal(10,2)", "decimal(12,3)")], ["ReplaceType"]),
        ([("logicalType: integer", "logicalType: integer, physicalType: bigint")], ["WidenType"]),
        ([("name: note, logicalType: string, logicalTypeOptions: {maxLength: 20}", "name: note, logicalType: date")],
         ["ReplaceType", "RuleLoosened"]),
        ([(NOTE, ""), ("      - {name: amount", NOTE + "      - {name: amount")], ["Reorder"]),
        ([("name: note,", "name: note, required: true,")], ["RequiredTightened"]),
        ([("string, required: true, enum", "string, enum")], ["RequiredLoosened"]),
        ([("minimum: 0", "minimum: 0.5")], ["RuleTightened"]),
        ([("minimum: 0", "minimum: -1")], ["RuleLoosened"]),
        ([("minimum: 0", "exclusiveMinimum: 0")], ["RuleLoosened", "RuleTightened"]),
        ([("minimum: 0", "minimum: 0, maximum: 9")], ["RuleTightened"]),
        ([("maxLength: 20", "maxLength: 19")], ["RuleTightened"]),
        ([("maxLength: 20", "maxLength: 21")], ["RuleLoosened"]),
        ([(", {value: paid}", "")], ["RuleTightened"]),
        ([("{value: paid}", "{value: paid}, {value: lost}")], ["RuleLoosened"]),
        ([("{value: paid}", "{value: lost}")], ["RuleChanged"]),
        ([('physicalType: "decimal(10,2)"', 'physicalType: "decimal(10,2)", physicalName: total')],
         ["ValuesChanged"]),
        ([("id: p1, logicalType: integer, primaryKey: true", "id: p1, logicalType: integer, required: true"),
          ("partitioned: true", "primaryKey: true, partitioned: true")], ["RequiredTightened", "KeyChanged"]),
        ([("mode: merge, sequenceBy: placed, ", "mode: append, ")], ["ModeChanged", "OptionChanged"]),
        ([("partitionTransform: day", "partitionTransform: month")], ["PartitionChanged"]),
        ([("sequenceBy: placed, ", "")], ["OptionChanged"]),
        ([("mode: merge", "mode: merge, maxRejectShare: 0.1")], ["OptionChanged"]),
        ([("mode: merge", "mode: merge, delimiter: ;")], ["ReadingChanged"]),
        ([('["", "NA"]', '["", "NA", "-"]')], ["ReadingChanged"]),
        ([("name: note,", "name: note, unique: true,")], ["RuleTightened"]),
        ([("name: note,", "name: note, customProperties: [{property: sluice, value: {protect: hash}}],")],
         ["ProtectionChanged"]),
        ([("name: note,", "name: note, customProperties: [{property: sluice, value: {protect: omit}}],")],
         ["DropColumn"]),
        ([("name: note,", "name: note, quality: [{metric: nullValues, mustBeLessThan: 5}],")], ["RuleTightened"]),
        ([("name: note,", "name: note, quality: [{metric: nullValues, mustBeLessThan: 5, severity: warn}],")], []),
    ],
)  # fmt: skip
def test_each_edit_of_a_contract_is_the_change_that_it_is(edits: list[tuple[str, str]], kinds: list[str]) -> None:
    assert [change.kind for change in found(*edits)] == kinds


def test_limits_of_dates_and_forbidden_values_are_compared_too() -> None:
    moment = "logicalType: timestamp"
    early, late = (
        f'{moment}, logicalTypeOptions: {{minimum: "{day}T00:00:00Z"}}' for day in ("2024-01-01", "2024-02-01")
    )
    (change,) = compare(plan((moment, early)), plan((moment, late)))
    assert isinstance(change, changes.RuleTightened)
    checked = "name: note, quality: [{metric: missingValues, arguments: {missingValues: [%s]}, mustBe: 0}],"
    few, many = (("name: note,", checked % values) for values in ("x", "x, y"))
    assert [change.kind for change in compare(plan(few), plan(many))] == ["RuleTightened"]
    assert [change.kind for change in compare(plan(many), plan(few))] == ["RuleLoosened"]


def test_checks_of_objects_are_compared_by_what_they_expect() -> None:
    few, many = (
        ("name: note,", f"name: note, quality: [{{metric: nullValues, mustBeLessThan: {n}}}],") for n in (5, 6)
    )
    (change,) = compare(plan(few), plan(many))
    assert change.sentence == "rule nullValues of note expects mustBeLessThan 6 instead of mustBeLessThan 5"
    assert [gone.kind for gone in compare(plan(few), plan())] == ["RuleLoosened"]


def test_warnings_reject_nothing_and_are_no_change() -> None:
    check = "name: note, quality: [{metric: nullValues, mustBe: 0, severity: %s}],"
    assert found(("name: note,", check % "warn")) == ()
    assert [change.kind for change in found(("name: note,", check % "error"))] == ["RequiredTightened"]


def test_every_kind_of_change_says_a_sentence_and_whom_it_breaks() -> None:
    kinds = [kind for kind in vars(changes).values() if isinstance(kind, type) and issubclass(kind, Change)]
    breaking = {kind.__name__ for kind in kinds if kind.breaks_readers}
    assert breaking == {
        "DropColumn", "RenameColumn", "NarrowType", "ReplaceType", "RequiredLoosened", "KeyChanged", "ModeChanged",
            "ProtectionChanged",
    }  # fmt: skip
    old, new = plan(), plan((NOTE, ""), ("decimal(10,2)", "decimal(8,2)"), ("mode: merge", "mode: merge, delimiter: ;"))
    assert [change.sentence for change in compare(old, new)] == [
        "column amount narrows from decimal(10,2) to decimal(8,2); the table must be rebuilt",
        "column note is gone; queries that name it fail",
        "files are read with delimiter ; instead of ,",
    ]


def test_what_breaks_readers_is_refused_until_the_major_version_says_it() -> None:
    old = plan()
    with pytest.raises(ContractError, match="column note is gone") as refused:
        refuse_unsaid(old, plan((NOTE, ""), ("1.4.2", "1.5.0")), file="orders.odcs.yaml")
    assert 'version: "2.0.0"' in refused.value.remedy
    refuse_unsaid(old, plan((NOTE, ""), ("1.4.2", "2.0.0")), file="orders.odcs.yaml")
    refuse_unsaid(old, plan(("minimum: 0", "minimum: 5")), file="orders.odcs.yaml")


def test_an_id_names_one_property_only() -> None:
    with pytest.raises(ContractError, match="stands at two properties"):
        plan(("id: p2", "id: p1"))


def test_plans_of_two_datasets_are_not_compared() -> None:
    with pytest.raises(ValueError, match="two datasets"):
        compare(plan(), replace(plan(), dataset="other"))
