"""A small cloud assembly, written by hand, with the shapes that Sluice's own stacks have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BUCKET = "cdk-assets-${AWS::AccountId}-${AWS::Region}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}


def write_assembly(
    folder: Path, stacks: Mapping[str, Mapping[str, Any]], *, assets: Mapping[str, Mapping[str, str]] | None = None
) -> Path:
    """Write `cdk.out` with one template a stack, in this order, and folder assets given as {name: {file: text}}."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, contents in (assets or {}).items():
        (folder / f"asset.{name}").mkdir()
        for file, text in contents.items():
            path = folder / f"asset.{name}" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        source = {"path": f"asset.{name}", "packaging": "zip"}
        files[name] = {"source": source, "destinations": {"here": {"bucketName": BUCKET, "objectKey": f"{name}.zip"}}}
    artifacts: dict[str, Any] = {}
    before: list[str] = []
    for name, template in stacks.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        (folder / f"{name}.assets.json").write_text(json.dumps({"version": "44.0.0", "files": files}))
        artifacts[f"{name}.assets"] = {"type": "cdk:asset-manifest", "properties": {"file": f"{name}.assets.json"}}
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": {"templateFile": f"{name}.template.json"},
            "dependencies": [*before, f"{name}.assets"],
        }
        before = [name]
    (folder / "manifest.json").write_text(json.dumps({"version": "44.0.0", "artifacts": artifacts}))
    return folder


def resource(kind: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": dict(properties), **more}


def role(service: str = "lambda.amazonaws.com", actions: Sequence[str] = ("*",)) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return resource(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [allowed]}}],
        },
    )


def open_queues(*queues: str) -> dict[str, Any]:
    """Let EventBridge send to the queues."""
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Principal": {"Service": "events.amazonaws.com"},
                 "Resource": [{"Fn::GetAtt": [queue, "Arn"]} for queue in queues]}  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return resource("AWS::SQS::QueuePolicy", {"Queues": [{"Ref": queue} for queue in queues], "PolicyDocument": policy})


def open_function(name: str) -> dict[str, Any]:
    """Let EventBridge invoke the function."""
    return resource(
        "AWS::Lambda::Permission",
        {"FunctionName": {"Ref": name}, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"},
    )


def function(asset: str, *, environment: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return resource(
        "AWS::Lambda::Function",
        {
            "Code": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": f"{asset}.zip"},
            "Handler": "handler.handler",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Timeout": 20,
            "MemorySize": 256,
            "Environment": {"Variables": dict(environment or {})},
            **more,
        },
    )
