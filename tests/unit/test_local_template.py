from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.local.resources.compute import dangling
from sluice.local.template import Scope, Stack, UnsupportedTemplate, read_assembly
from tests.stage.local_world import write_assembly

PSEUDO = {"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1", "AWS::Partition": "aws"}


def scope(**template: Any) -> Scope:
    made = Scope.of(
        Stack(name="S", region=None, template=template, assets=()),
        pseudo=PSEUDO,
        exports={"shared": "from another stack"},
    )
    made.refs["Queue"], made.attributes["Queue"] = "https://queue", {"Arn": "arn:queue"}
    return made


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Queue"}, "https://queue"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:queue"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:queue"),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::AccountId"}]]}, "a-123456789012"),
        ({"Fn::Sub": "${AWS::Region}/${Queue.Arn}/${Queue}/${!kept}"}, "eu-west-1/arn:queue/https://queue/${kept}"),
        ({"Fn::Sub": ["${Own}!", {"Own": {"Ref": "Queue"}}]}, "https://queue!"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b,c"]}]}, "b"),
        ({"Fn::ImportValue": "shared"}, "from another stack"),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["No", 1, 2]}, 2),
        ({"kept": 1, "left out": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, 128),
    ],
)
def test_intrinsic_function_gives_what_cloudformation_gives(value: Any, expected: Any) -> None:
    made = scope(
        Conditions={"Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}},
        Mappings={"Sizes": {"eu-west-1": {"small": 128}}},
    )
    assert made.resolve(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Nobody"},
        {"Fn::GetAtt": ["Queue", "Colour"]},
        {"Fn::ImportValue": "missing"},
        {"Fn::Cidr": ["10.0.0.0/8"]},
    ],
)
def test_what_cannot_be_resolved_is_refused_and_not_guessed(value: Any) -> None:
    with pytest.raises(UnsupportedTemplate):
        scope().resolve(value)


def test_parameter_without_default_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedTemplate, match="parameter Size"):
        scope(Parameters={"Size": {"Type": "Number"}})


def test_resource_comes_after_everything_that_it_names() -> None:
    resources = {
        "Last": {"Type": "T", "Properties": {"a": {"Fn::Sub": "${Middle.Arn}"}}},
        "Middle": {"Type": "T", "Properties": {"b": [{"Ref": "First"}]}, "DependsOn": "Other"},
        "Other": {"Type": "T"},
        "First": {"Type": "T"},
    }
    order = list(Stack(name="S", region=None, template={"Resources": resources}, assets=()).in_order())
    assert order.index("First") < order.index("Middle") < order.index("Last")
    assert order.index("Other") < order.index("Middle")


def test_stacks_of_an_assembly_come_in_dependency_order(tmp_path: Path) -> None:
    folder = write_assembly(tmp_path, {"Data": {"Resources": {}}, "App": {"Resources": {}}})
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["artifacts"] = dict(reversed(manifest["artifacts"].items()))  # the file's order says nothing
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert [stack.name for stack in read_assembly(folder)] == ["Data", "App"]


def test_transition_to_a_missing_state_is_found_also_inside_a_map() -> None:
    inner = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Catch": [{"Next": "Nowhere"}], "End": True}}}
    machine = {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": inner, "End": True}}}
    assert list(dangling(machine)) == ["Nowhere"]
