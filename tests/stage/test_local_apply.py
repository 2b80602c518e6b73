"""A deployed pipeline takes another assembly in place: functions and alarms change, what cannot change is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from sluice.local.cloud import LocalCloud
from sluice.local.control import HEADER, PATH, Control
from sluice.local.template import UnsupportedTemplate
from tests.stage.local_world import function, resource, role, write_assembly

ALARM = {"MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "Statistic": "Sum",
         "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip


def assembly(folder: Path, code: str, resources: Mapping[str, Any]) -> Path:
    stack = {
        "Resources": {
            "Role": role(),
            "Step": function(code),
            "Raw": resource("AWS::S3::Bucket", {"BucketName": "raw"}),
            **resources,
        }
    }
    text = f'def handler(event, context):\n    return "{code}"\n'
    return write_assembly(folder, {"stack": stack}, assets={code: {"handler.py": text}})


def test_an_apply_updates_creates_and_deletes_or_refuses_before_it_has_changed_anything(tmp_path: Path) -> None:
    first = assembly(tmp_path / "1", "old", {"Alarm": resource("AWS::CloudWatch::Alarm", {"AlarmName": "a", **ALARM})})
    other = {"Alarm2": resource("AWS::CloudWatch::Alarm", {"AlarmName": "b", **ALARM})}
    second = assembly(tmp_path / "2", "new", other)
    changed = {"Raw": resource("AWS::S3::Bucket", {"BucketName": "other"}), **other}
    third = assembly(tmp_path / "3", "newest", changed)
    with LocalCloud(first, enforce=False) as cloud:
        cloud.client("s3").put_object(Bucket="raw", Key="x", Body=b"1")
        name = cloud.find("Step", "AWS::Lambda::Function")

        def said() -> str:
            answer = cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")
            return str(json.loads(answer["Payload"].read()))

        def alarms() -> list[str]:
            return [alarm["AlarmName"] for alarm in cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]]

        assert (said(), alarms()) == ("old", ["a"])
        changes = cloud.apply(second)
        assert (len(changes.created), len(changes.updated), len(changes.deleted)) == (1, 1, 1)
        assert (said(), alarms()) == ("new", ["b"])
        with pytest.raises(UnsupportedTemplate, match=r"AWS::S3::Bucket cannot be changed"):
            cloud.apply(third)
        assert said() == "new"
        assert cloud.apply(second).updated == []
        assert cloud.client("s3").get_object(Bucket="raw", Key="x")["Body"].read() == b"1"

        cloud.gateway.control = Control("token", {"echo": lambda asked: {"got": asked["it"]}})

        def ask(token: str) -> Any:
            return requests.post(cloud.endpoint + PATH + "echo", json={"it": 1}, headers={HEADER: token}, timeout=10)

        assert ask("token").json() == {"got": 1}
        assert ask("guess").status_code == 403
