"""What AWS charges, in one dated table, and what a counted piece of work costs there. Pure: no AWS calls, no files.

On-demand list prices of us-east-1 in US dollars, without free tier, storage, logs, traces or tax. Source: the services'
public pricing pages, November 2026. What idle resources cost is at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

READ_ON = "2026-11"
REGION = "us-east-1"

LAMBDA_GB_SECOND = 0.0000133334  # arm64
LAMBDA_REQUEST = 0.20 / 1e6
STATE_TRANSITION = 0.025 / 1e3  # Step Functions, Standard
GLUE_DPU_SECOND = 0.44 / 3600
GLUE_MINIMUM_SECONDS = 60
ATHENA_BYTE = 5 / 1e12
ATHENA_MINIMUM_BYTES = 10 * 10**6
S3_WRITE = 0.005 / 1e3  # PUT, COPY, POST, LIST
S3_READ = 0.0004 / 1e3  # GET, HEAD
DYNAMODB_WRITE = 0.625 / 1e6  # one item of up to 1 KB
DYNAMODB_TRANSACTION = 2 * 3 * DYNAMODB_WRITE  # three items, as `ledger.register` writes them
DYNAMODB_READ = 0.25 / 2 / 1e6
SQS_REQUEST = 0.40 / 1e6
EVENT = 1.00 / 1e6  # EventBridge, custom and S3 events
CATALOG_REQUEST = 1.00 / 1e6

# Dollars a month for what is merely there. Types that are charged by use alone cost nothing idle.
ALARM_METRIC = 0.10  # for each metric that an alarm looks at; the first ten of an account are free
DASHBOARD = 3.00  # the first three of an account are free
IDLE: Mapping[str, float] = MappingProxyType(
    {
        "AWS::Athena::NamedQuery": 0.0,
        "AWS::Athena::WorkGroup": 0.0,
        "AWS::CDK::Metadata": 0.0,
        "AWS::CloudWatch::Alarm": ALARM_METRIC,  # at least: see `idle_alarm`
        "AWS::CloudWatch::Dashboard": DASHBOARD,
        "AWS::DynamoDB::Table": 0.0,  # on demand; its bytes are charged
        "AWS::EC2::VPCEndpoint": 7.30,  # an interface in one zone; gateways are free but have this type as well
        "AWS::Events::Rule": 0.0,  # schedules are priced by what they start
        "AWS::Glue::Database": 0.0,
        "AWS::Glue::Job": 0.0,
        "AWS::IAM::ManagedPolicy": 0.0,
        "AWS::IAM::Policy": 0.0,
        "AWS::IAM::Role": 0.0,
        "AWS::KMS::Alias": 0.0,
        "AWS::KMS::Key": 1.00,
        "AWS::Lambda::EventInvokeConfig": 0.0,
        "AWS::Lambda::EventSourceMapping": 0.0,
        "AWS::Lambda::Function": 0.0,
        "AWS::Lambda::Permission": 0.0,
        "AWS::Logs::LogGroup": 0.0,
        "AWS::S3::Bucket": 0.0,
        "AWS::S3::BucketPolicy": 0.0,
        "AWS::SNS::Subscription": 0.0,
        "AWS::SNS::Topic": 0.0,
        "AWS::SNS::TopicPolicy": 0.0,
        "AWS::SQS::Queue": 0.0,
        "AWS::SQS::QueuePolicy": 0.0,
        "AWS::StepFunctions::StateMachine": 0.0,
    }
)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Work that was counted: API calls by `service.Operation`, and what is charged by time or bytes, as billed."""

    calls: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0  # Lambda invocations
    gb_seconds: float = 0.0
    transitions: int = 0
    dpu_seconds: float = 0.0
    bytes_scanned: int = 0
    events: int = 0  # that S3 put on the bus; our own are calls

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=dict(Counter(self.calls) + Counter(other.calls)),
            requests=self.requests + other.requests,
            gb_seconds=self.gb_seconds + other.gb_seconds,
            transitions=self.transitions + other.transitions,
            dpu_seconds=self.dpu_seconds + other.dpu_seconds,
            bytes_scanned=self.bytes_scanned + other.bytes_scanned,
            events=self.events + other.events,
        )


def billed_dpu_seconds(seconds: float, dpu: float) -> float:
    """DPU-seconds of one job run on `dpu` units, whatever it is worth a minute at least."""
    return max(GLUE_MINIMUM_SECONDS, seconds) * dpu


def billed_bytes(scanned: int) -> int:
    """Bytes of one Athena statement, 10 MB at least; those that read nothing, as definitions, are free."""
    return max(ATHENA_MINIMUM_BYTES, scanned) if scanned else 0


def dollars(usage: Usage) -> dict[str, float]:
    """Estimate the cost of some work by service, largest first."""
    parts = {
        "Lambda": usage.requests * LAMBDA_REQUEST + usage.gb_seconds * LAMBDA_GB_SECOND,
        "Step Functions": usage.transitions * STATE_TRANSITION,
        "Glue": usage.dpu_seconds * GLUE_DPU_SECOND,
        "Athena": usage.bytes_scanned * ATHENA_BYTE,
        "EventBridge": usage.events * EVENT,
    }
    for name, count in usage.calls.items():
        label, price = _request(*name.split(".", 1))
        if label:
            parts[label] = parts.get(label, 0.0) + count * price
    return dict(sorted(parts.items(), key=lambda part: -part[1]))


def total(usage: Usage) -> float:
    """Estimate the cost of some work in dollars."""
    return sum(dollars(usage).values())


def _request(service: str, operation: str) -> tuple[str, float]:
    """Name what a call is charged as, and its price; ("", 0.0) where the call itself is free."""
    reads = operation.startswith(("Get", "Head", "Query", "Scan", "BatchGet"))
    match service:
        case "s3" if not operation.startswith("Delete"):
            charged = "S3 requests", S3_READ if reads else S3_WRITE
        case "dynamodb" if operation.startswith("Transact"):
            charged = "DynamoDB", DYNAMODB_TRANSACTION
        case "dynamodb":
            charged = "DynamoDB", DYNAMODB_READ if reads else DYNAMODB_WRITE
        case "sqs":
            charged = "SQS", SQS_REQUEST
        case "events" if operation == "PutEvents":
            charged = "EventBridge", EVENT
        case "glue" if operation not in {"StartJobRun", "GetJobRun"}:
            charged = "Glue catalog", CATALOG_REQUEST
        case _:
            charged = "", 0.0
    return charged
