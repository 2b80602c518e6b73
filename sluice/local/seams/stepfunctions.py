"""Gaps (moto 5.2.5): Step Functions does not interpret unless told, and then calls past the gateway as nobody.

Further: `glue:startJobRun.sync` breaks, `athena:startQueryExecution.sync` is missing, waiting takes real time, an
execution without a name is called "None", and nobody is told when one ends.
"""

from __future__ import annotations

import json
import sys
import time
import types
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.config import default_user_config
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_factory as factory,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_glue as glue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_unsupported import (
    StateTaskServiceUnsupported,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from sluice.local.pace import Pace
from sluice.local.seams.patch import original, put, replace

ClientFor = Callable[[str, str], Any]  # role ARN, service name
OnEnd = Callable[[Any], None]  # moto's execution
_POLL_SECONDS = 0.05


def install(client_for: ClientFor, pace: Pace, on_end: OnEnd) -> None:
    """Run state machines, as their roles, through the gateway, at `pace`, and tell `on_end` of each that has ended."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    _everywhere(boto_client, "boto_client_for", lambda _original: _client_of_role(client_for))
    _everywhere(factory, "state_task_service_for", _with_athena)
    # Without a task token moto's callback loop ends in an AttributeError; the token itself is never used.
    glue._SUPPORTED_INTEGRATION_PATTERNS.add(ResourceCondition.WaitForTaskToken)  # noqa: SLF001
    replace(glue.StateTaskServiceGlue, "_sync_to_start_job_run", _as_json)
    callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = _POLL_SECONDS  # noqa: SLF001
    retrier_decl.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(pace.seconds(seconds)))
    replace(WaitFunction, "_wait_interval", lambda _original: _wait(pace))
    replace(StepFunctionsParserBackend, "start_execution", _named)
    replace(BaseExecutionWorkerCommunication, "terminated", lambda terminated: _telling(terminated, on_end))


def uninstall() -> None:
    """Let moto only pretend to run state machines again, as it does when nobody asks for more."""
    default_user_config["stepfunctions"]["execute_state_machine"] = False


def _everywhere(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Patch a function also in the modules that imported it by name."""
    before, first = getattr(owner, name), original(owner, name)
    replace(owner, name, make)
    for module in list(sys.modules.values()):
        if module is not owner and getattr(module, name, None) in {before, first}:
            put(module, name, getattr(owner, name))


def _client_of_role(client_for: ClientFor) -> Any:
    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001
        return client_for(state_credentials.role_arn, service)

    return boto_client_for


def _with_athena(state_task_service_for: Any) -> Any:
    return lambda service_name: (
        StateTaskServiceAthena() if service_name == "athena" else state_task_service_for(service_name)
    )


def _as_json(sync_to_start_job_run: Any) -> Any:
    def build(self: Any, *args: Any, **kwargs: Any) -> Any:
        resolve = sync_to_start_job_run(self, *args, **kwargs)

        def resolved() -> Any:
            run = resolve()
            return run and json.loads(to_json_str(run))  # its dates are not JSON

        return resolved

    return build


def _wait(pace: Pace) -> Any:
    def wait_interval(_self: Any, env: Any, wait_seconds: float) -> None:
        env.program_state_event.wait(pace.seconds(max(0, wait_seconds)))

    return wait_interval


def _named(start_execution: Any) -> Any:
    def start(self: Any, state_machine_arn: str, name: Any = None, *args: Any, **kwargs: Any) -> Any:
        return start_execution(self, state_machine_arn, name or str(uuid.uuid4()), *args, **kwargs)

    return start


def _telling(terminated: Any, on_end: OnEnd) -> Any:
    def tell(self: Any) -> None:
        terminated(self)
        on_end(self.execution)

    return tell


class StateTaskServiceAthena(StateTaskServiceUnsupported):  # type: ignore[misc]
    """`athena:startQueryExecution.sync`: polls the query, answers with its description, fails as the query does."""

    def __init__(self) -> None:
        patterns = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
        callback.StateTaskServiceCallback.__init__(self, supported_integration_patterns=patterns)

    def _log_unsupported_warning(self) -> None:
        """It is supported now."""

    def _build_sync_resolver(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
    ) -> Callable[[], Any]:
        del normalised_parameters
        query_id = env.stack.pop()["QueryExecutionId"]
        client = boto_client.boto_client_for(
            region=resource_runtime_part.region, service="athena", state_credentials=state_credentials
        )

        def resolve() -> Any:
            query = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            match query["Status"]["State"]:
                case "QUEUED" | "RUNNING":
                    return None
                case "SUCCEEDED":
                    return json.loads(to_json_str({"QueryExecution": query}))
                case _:
                    raise glue.FailureEventException(self._failure(env, query))

        return resolve

    def _failure(self, env: Any, query: dict[str, Any]) -> Any:
        details = glue.TaskFailedEventDetails(
            resource=self._get_sfn_resource(),
            resourceType=self._get_sfn_resource_type(),
            error="States.TaskFailed",
            cause=to_json_str(query),
        )
        return glue.FailureEvent(
            env=env,
            error_name=glue.StatesErrorName(typ=glue.StatesErrorNameType.StatesTaskFailed),
            event_type=glue.HistoryEventType.TaskFailed,
            event_details=glue.EventDetails(taskFailedEventDetails=details),
        )
