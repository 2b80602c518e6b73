"""What AWS charges, in one dated table, and what a counted piece of work would have cost there. No AWS calls.

On-demand list prices of us-east-1 in US dollars, without free tier, storage, logs or tax. Source: the services' public
pricing pages, November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, kw_only=True)
class Work:
    """What was counted: API calls by (service, operation), and what is charged by time or bytes."""

    calls: Mapping[tuple[str, str], int] = field(default_factory=dict)
    lambda_requests: int = 0
    lambda_gb_seconds: float = 0.0
    transitions: int = 0
    glue_seconds: tuple[float, ...] = ()  # one entry a job run
    glue_dpu: float = 2.0
    athena_bytes: tuple[int, ...] = ()  # one entry a statement
    events: int = 0


def dollars(work: Work) -> dict[str, float]:
    """Estimate the cost of some work by service, largest first."""
    parts = {
        "Lambda": work.lambda_requests * LAMBDA_REQUEST + work.lambda_gb_seconds * LAMBDA_GB_SECOND,
        "Step Functions": work.transitions * STATE_TRANSITION,
        "Glue": sum(max(GLUE_MINIMUM_SECONDS, seconds) for seconds in work.glue_seconds)
        * work.glue_dpu
        * GLUE_DPU_SECOND,
        "Athena": sum(max(ATHENA_MINIMUM_BYTES, scanned) for scanned in work.athena_bytes) * ATHENA_BYTE,
        "EventBridge": work.events * EVENT,
    }
    for (service, operation), count in work.calls.items():
        label, price = _request(service, operation)
        if label:
            parts[label] = parts.get(label, 0.0) + count * price
    return dict(sorted(parts.items(), key=lambda part: -part[1]))


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
        case "glue":
            charged = "Glue catalog", CATALOG_REQUEST
        case _:
            charged = "", 0.0
    return charged
