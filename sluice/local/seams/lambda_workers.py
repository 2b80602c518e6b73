"""Gap (moto 5.2.5): Lambda runs in Docker or only echoes; SQS sends each message on at once, ignoring the answer.

With this seam an invocation goes to `sluice.local.workers`, and queues keep their messages until the pump fetches them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.sqs.models import sqs_backends

from sluice.local.seams.patch import replace


@dataclass(frozen=True)
class Answer:
    """The result of an invocation: the payload as JSON text, and whether it is a function error."""

    payload: str
    failed: bool = False


Invoke = Callable[[Any, str, bool], Answer]  # moto's function, payload, asynchronous


def install(invoke: Invoke) -> None:
    """Send invocations to `invoke`; with True as its last argument it must not wait for the function."""
    replace(LambdaFunction, "invoke", lambda _original: _invoked_by(invoke))
    replace(LambdaBackend, "create_event_source_mapping", _leave_messages)


def _invoked_by(invoke: Invoke) -> Any:
    def run(self: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
        payload = body.decode() if isinstance(body, bytes) else body
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return ""
        answer = invoke(self, payload or json.dumps({}), kind == "Event")
        if answer.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer.payload.encode()

    return run


def _leave_messages(create_event_source_mapping: Any) -> Any:
    def create(self: Any, spec: dict[str, Any]) -> Any:
        mapping = create_event_source_mapping(self, spec)
        for queue in sqs_backends[self.account_id][self.region_name].queues.values():
            queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
        return mapping

    return create
