"""Failures on demand: which call fails, when and how. The gateway plays them; here they are decided and worded."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape  # nosec B406 (writes XML, reads none)

from sluice.local.request import Request

Kind = Literal["drop", "500", "throttle", "timeout"]
_QUERY_PROTOCOL = frozenset({"iam", "sts", "sns"})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Fail the nth call that matches, counted from the injection; `*` matches every service or operation.

    `before`: the call has no effect. `after`: it has its effect and the caller does not learn of it.
    `drop` closes the connection, `timeout` closes it after `hold` seconds, `500` and `throttle` answer so.
    """

    match: tuple[str, str] | tuple[str, str, int]
    when: Literal["before", "after"] = "before"
    kind: Kind = "500"
    times: int = 1
    role: str = ""  # only calls of principals whose name contains this
    resource: str = ""  # only calls whose resource contains this
    hold: float = 0.5

    @property
    def nth(self) -> int:
        """1 for the first matching call."""
        return self.match[2] if len(self.match) == 3 else 1  # noqa: PLR2004


class Faults:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, list[int]]] = []
        self._lock = threading.Lock()

    def inject(self, fault: Fault) -> None:
        """Arm a fault."""
        with self._lock:
            self._armed.append((fault, [0]))

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()

    def strike(self, request: Request, principal: str) -> Fault | None:
        """The fault that this call meets, if any; counts the call."""
        with self._lock:
            struck = None
            for fault, seen in self._armed:
                if _matches(fault, request, principal):
                    seen[0] += 1
                    if fault.nth <= seen[0] < fault.nth + fault.times:
                        struck = struck or fault
            self._armed = [(fault, seen) for fault, seen in self._armed if seen[0] < fault.nth + fault.times - 1]
            return struck


def _matches(fault: Fault, request: Request, principal: str) -> bool:
    return (
        fault.match[0] in {"*", request.service}
        and fault.match[1] in {"*", request.operation}
        and fault.role in principal
        and fault.resource in request.resource
    )


def answer(request: Request, kind: str, message: str) -> tuple[str, str, bytes]:
    """Status line, content type and body of an error as the service would word it."""
    status, code = _code(request.service, kind)
    if request.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return status, "application/xml", body.encode()
    if request.service in _QUERY_PROTOCOL:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return status, "text/xml", f"<ErrorResponse>{error}<RequestId>local</RequestId></ErrorResponse>".encode()
    body = json.dumps({"__type": code, "message": message, "Message": message})
    return status, "application/x-amz-json-1.1", body.encode()


def _code(service: str, kind: str) -> tuple[str, str]:
    match kind:
        case "denied":
            return "403 Forbidden", "AccessDenied" if service in {"s3", "iam", "sts"} else "AccessDeniedException"
        case "throttle" if service == "s3":
            return "503 Slow Down", "SlowDown"
        case "throttle" if service == "dynamodb":
            return "400 Bad Request", "ProvisionedThroughputExceededException"
        case "throttle":
            return "400 Bad Request", "ThrottlingException"
        case _:
            return "500 Internal Server Error", "InternalError" if service == "s3" else "InternalServerError"
