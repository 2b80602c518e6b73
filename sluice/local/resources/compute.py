"""Lambda, Glue jobs and Step Functions: compute."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sluice.local.resources.kind import Created, Kind, Properties, Site, given, kind, lower_first, tag_map
from sluice.local.template import UnsupportedTemplate

# In place of the code, a function's package holds one file with this name: the folder that the code is in.
POINTER = "sluice-code-folder"
_FUNCTION_ARGUMENTS = (
    "Handler Role Runtime Timeout MemorySize Environment EphemeralStorage Architectures TracingConfig Description "
    "LoggingConfig"
)


def function(site: Site, properties: Properties) -> Created:
    """AWS::Lambda::Function. Its code stays where the assembly has it."""
    client = site.client("lambda")
    code = properties["Code"]
    site.only(code, "S3Bucket", "S3Key", within="Code")
    name = properties.get("FunctionName") or site.name()
    package = _pointer_to(_asset(site, code["S3Bucket"], code["S3Key"]))
    arguments = given(properties, *_FUNCTION_ARGUMENTS.split())
    made = client.create_function(FunctionName=name, Code={"ZipFile": package}, Tags=tag_map(properties), **arguments)
    if "ReservedConcurrentExecutions" in properties:
        client.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=properties["ReservedConcurrentExecutions"]
        )
    group = properties.get("LoggingConfig", {}).get("LogGroup", "")  # moto does not keep it
    return Created(name, {"Arn": made["FunctionArn"], "LogGroup": group})


def update_function(site: Site, properties: Properties, created: Created) -> Created:
    """Give a function new code and settings."""
    client, code = site.client("lambda"), properties["Code"]
    package = _pointer_to(_asset(site, code["S3Bucket"], code["S3Key"]))
    client.update_function_code(FunctionName=created.ref, ZipFile=package)
    arguments = given(properties, *_FUNCTION_ARGUMENTS.split())
    client.update_function_configuration(
        FunctionName=created.ref, **{name: value for name, value in arguments.items() if name != "Architectures"}
    )
    return created


def _asset(site: Site, bucket: str, key: str) -> Path:
    found = site.asset(bucket, key)
    if found is None:
        raise UnsupportedTemplate(
            f"s3://{bucket}/{key} is no asset of the assembly", stack=site.stack, resource=site.logical_id
        )
    return found


def _pointer_to(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(POINTER, str(folder.resolve()))
    return buffer.getvalue()


def code_folder(package: bytes) -> Path:
    """Where the code of a deployed function is."""
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        return Path(opened.read(POINTER).decode())


def permission(site: Site, properties: Properties) -> Created:
    """AWS::Lambda::Permission."""
    arguments = given(properties, "FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    site.client("lambda").add_permission(StatementId=site.logical_id, **arguments)
    return Created(site.logical_id)


def event_source_mapping(site: Site, properties: Properties) -> Created:
    """AWS::Lambda::EventSourceMapping from a queue."""
    if properties["EventSourceArn"].split(":")[2] != "sqs":
        raise UnsupportedTemplate("event sources other than SQS", stack=site.stack, resource=site.logical_id)
    arguments = given(
        properties, "FunctionName", "EventSourceArn", "BatchSize", "FunctionResponseTypes", "Enabled",
        "MaximumBatchingWindowInSeconds", "ScalingConfig",
    )  # fmt: skip
    made = site.client("lambda").create_event_source_mapping(**arguments)
    return Created(made["UUID"], {"Id": made["UUID"]})


def job(site: Site, properties: Properties) -> Created:
    """AWS::Glue::Job."""
    name = properties.get("Name") or site.name(limit=255)
    location = properties["Command"].get("ScriptLocation", "")
    bucket, _, key = location.removeprefix("s3://").partition("/")
    _asset(site, bucket, key)
    arguments = given(properties, *_JOB_ARGUMENTS.split())
    site.client("glue").create_job(Name=name, Tags=tag_map(properties), **arguments)
    return Created(name)


_JOB_ARGUMENTS = (
    "Description Role Command DefaultArguments NonOverridableArguments GlueVersion WorkerType NumberOfWorkers "
    "MaxRetries Timeout ExecutionProperty ExecutionClass MaxCapacity JobMode JobRunQueuingEnabled"
)


def state_machine(site: Site, properties: Properties) -> Created:
    """AWS::StepFunctions::StateMachine. A transition to nowhere is refused here: moto would fail later."""
    name = properties.get("StateMachineName") or site.name(limit=80)
    definition = _definition(site, properties)
    arguments: dict[str, Any] = given(properties, roleArn="RoleArn", type="StateMachineType")
    for property_name in {"LoggingConfiguration", "TracingConfiguration"} & set(properties):
        arguments |= lower_first({property_name: properties[property_name]})
    arguments["tags"] = [{"key": key, "value": value} for key, value in tag_map(properties).items()]
    made = site.client("stepfunctions").create_state_machine(name=name, definition=definition, **arguments)
    return Created(made["stateMachineArn"], {"Arn": made["stateMachineArn"], "Name": name})


def update_state_machine(site: Site, properties: Properties, created: Created) -> Created:
    """Give a state machine a new definition. Executions under way go on by the old one."""
    site.client("stepfunctions").update_state_machine(
        stateMachineArn=created.ref, definition=_definition(site, properties), roleArn=properties["RoleArn"]
    )
    return created


def _definition(site: Site, properties: Properties) -> str:
    definition = str(properties.get("DefinitionString") or json.dumps(properties["Definition"]))
    for token, value in properties.get("DefinitionSubstitutions", {}).items():
        definition = definition.replace("${" + token + "}", str(value))
    for missing in dangling(json.loads(definition)):
        raise UnsupportedTemplate(f"the definition goes on to {missing}", stack=site.stack, resource=site.logical_id)
    return definition


def dangling(machine: Mapping[str, Any]) -> Iterator[str]:
    """State names that a definition goes on to and does not hold, nested machines included."""
    states = machine.get("States", {})
    for state in states.values():
        goals = [state.get("Next"), state.get("Default")]
        goals += [branch.get("Next") for branch in (*state.get("Choices", []), *state.get("Catch", []))]
        yield from (goal for goal in goals if goal and goal not in states)
        inner = [state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", [])]
        for nested in filter(None, inner):
            yield from dangling(nested)
    if machine.get("StartAt") not in states:
        yield str(machine.get("StartAt"))


KINDS: Mapping[str, Kind] = {
    "AWS::Lambda::Function": kind(
        function,
        "FunctionName Code ReservedConcurrentExecutions Tags " + _FUNCTION_ARGUMENTS,
        harmless="RecursiveLoop RuntimeManagementConfig",  # which loops AWS stops, and when it patches Python
    ),
    "AWS::Lambda::Permission": kind(permission, "FunctionName Action Principal SourceArn SourceAccount"),
    "AWS::Lambda::EventSourceMapping": kind(
        event_source_mapping,
        "FunctionName EventSourceArn BatchSize FunctionResponseTypes Enabled MaximumBatchingWindowInSeconds "
        "ScalingConfig",
        harmless="Tags",
    ),
    "AWS::Glue::Job": kind(job, "Name Tags " + _JOB_ARGUMENTS),
    "AWS::StepFunctions::StateMachine": kind(
        state_machine,
        "StateMachineName DefinitionString Definition DefinitionSubstitutions RoleArn StateMachineType "
        "LoggingConfiguration TracingConfiguration Tags",
    ),
}
