"""The loop inside a Lambda worker process: loads one handler, answers one request a line. Standard library only.

Started as a script, isolated (`-I -S`), with nothing of this repository on its path:
`lambda_runtime.py TASK_ROOT HANDLER SITE_PACKAGES REQUEST_FD RESPONSE_FD`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class Context:
    """The second argument of a handler."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline = float(request["deadline"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the process is killed."""
        return max(0, int((self._deadline - time.time()) * 1000))


def load(name: str) -> Callable[[Any, Context], Any]:
    """Import `module.function`."""
    module, _, function = name.rpartition(".")
    found: Callable[[Any, Context], Any] = getattr(importlib.import_module(module.replace("/", ".")), function)
    return found


def failure(error: BaseException, request_id: str, *, kind: str = "") -> dict[str, Any]:
    """An exception in the shape that Lambda answers with."""
    return {
        "errorMessage": str(error),
        "errorType": kind or type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def answer(handler: Callable[[Any, Context], Any], request: dict[str, Any]) -> dict[str, Any]:
    """Run one request. An exception of the handler becomes a function error, as on Lambda."""
    try:
        result = handler(request["event"], Context(request))
    except BaseException as error:  # noqa: BLE001  (this is an entry point)
        traceback.print_exc()
        return {"failed": True, "payload": failure(error, request["request_id"])}
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        return {"failed": True, "payload": failure(error, request["request_id"], kind="Runtime.MarshalError")}
    return {"failed": False, "payload": result}


def main(task_root: str, handler_name: str, site_packages: str, request_fd: str, response_fd: str) -> None:
    """Serve until the other side closes the pipe."""
    sys.path = [task_root, *sys.path, site_packages]
    os.chdir(task_root)
    broken: BaseException | None = None
    try:
        handler = load(handler_name)
    except BaseException as error:  # noqa: BLE001  (reported to the first caller)
        traceback.print_exc()
        broken = error
    with os.fdopen(int(request_fd), encoding="utf-8") as requests, os.fdopen(int(response_fd), "w") as responses:
        for line in requests:
            request = json.loads(line)
            if broken is None:
                response = answer(handler, request)
            else:
                kind = "Runtime.ImportModuleError" if isinstance(broken, ImportError) else type(broken).__name__
                response = {"failed": True, "payload": failure(broken, request["request_id"], kind=kind)}
            sys.stdout.flush()
            sys.stderr.flush()
            responses.write(json.dumps({**response, "last": broken is not None}) + "\n")
            responses.flush()
            if broken is not None:
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
