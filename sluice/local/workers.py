"""Lambda functions in warm processes of their own. The caller decides on the answer.

A process has the asset folder, the installed packages, the template's environment and its role's temporary
credentials, and nothing of this repository.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sluice.local.principals import Credentials
from sluice.local.seams.lambda_workers import Answer

SITE_PACKAGES = sysconfig.get_paths()["purelib"]
_RUNTIME = Path(__file__).with_name("lambda_runtime.py")
_PARALLEL = 2  # processes a function; the next invocation waits, as it would for a cold start


@dataclass(frozen=True, kw_only=True)
class Function:
    """All that a worker needs to know of a deployed function."""

    name: str
    arn: str
    folder: Path
    handler: str
    role: str
    timeout: int  # seconds
    memory: int  # MB
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The cost of one invocation."""

    function: str
    request_id: str
    seconds: float
    memory: int
    cold: bool
    failed: bool


class LambdaWorkers:
    """Worker processes by function. An idle one is taken again; a timed out or broken one is thrown away."""

    def __init__(
        self, *, endpoint: str, region: str, folder: Path, credentials_of: Callable[[str], Credentials]
    ) -> None:
        self._endpoint, self._region, self._credentials_of = endpoint, region, credentials_of
        self._folder = folder
        self.packages = SITE_PACKAGES  # what a function finds beside its asset; on AWS that is the runtime's boto3
        self._idle: dict[Function, list[_Worker]] = {}
        self._busy: dict[Function, list[_Worker | None]] = {}  # None while the process starts
        self._free = threading.Condition()
        self._closed = False
        self.invocations: list[Invocation] = []
        self.running = 0

    def invoke(self, function: Function, payload: str) -> Answer:
        """Run the function on a JSON payload and wait for it."""
        request_id = str(uuid.uuid4())
        if self._closed:
            return _error("Runtime.ExitError", request_id, "the offline AWS has ended")
        with self._worker(function) as worker:
            started = time.monotonic()
            cold = worker.cold
            answer = worker.run(payload, request_id)
            seconds = time.monotonic() - started
        self.invocations.append(
            Invocation(
                function=function.name, request_id=request_id, seconds=seconds, memory=function.memory, cold=cold,
                failed=answer.failed,
            )
        )  # fmt: skip
        return answer

    def log_file(self, name: str) -> Path:
        """Where a function's standard output and error go."""
        return self._folder / "logs" / f"{name}.log"

    def close(self) -> None:
        """End all processes; an invocation under way ends with an error."""
        with self._free:
            self._closed = True
            idle = [worker for workers in self._idle.values() for worker in workers]
            busy = [worker for workers in self._busy.values() for worker in workers if worker]
            self._idle.clear()
        for worker in busy:
            worker.process.popen.kill()
        for worker in idle:
            worker.end()

    @contextlib.contextmanager
    def _worker(self, function: Function) -> Iterator[_Worker]:
        with self._free:
            self.running += 1
            idle, busy = self._idle.setdefault(function, []), self._busy.setdefault(function, [])
            while not idle and len(busy) >= _PARALLEL:
                self._free.wait()
            worker = idle.pop() if idle else None
            busy.append(worker)
        try:
            if worker is None:
                worker = _Worker(function, self._start(function))
                busy[busy.index(None)] = worker
                if self._closed:
                    worker.process.popen.kill()
            yield worker
        finally:
            with self._free:
                self.running -= 1
                busy.remove(worker)
                keep = worker is not None and worker.usable and not self._closed
                if keep and worker is not None:
                    idle.append(worker)
                self._free.notify_all()
            if worker is not None and not keep:
                worker.end()

    def _start(self, function: Function) -> _Process:
        scratch = self._folder / "tmp" / f"{function.name}-{uuid.uuid4().hex[:8]}"
        scratch.mkdir(parents=True)
        log = self.log_file(function.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        requests, responses = os.pipe(), os.pipe()
        command = [  # -B: an asset stays as it was uploaded
            sys.executable, "-I", "-S", "-B", "-u", str(_RUNTIME), str(function.folder), function.handler,
            self.packages, str(requests[0]), str(responses[1]),
        ]  # fmt: skip
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter and script)
                command, env=self._environment(function, scratch), pass_fds=(requests[0], responses[1]),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0,
            )  # fmt: skip
        os.close(requests[0])
        os.close(responses[1])
        return _Process(process, os.fdopen(requests[1], "w"), os.fdopen(responses[0], "rb", buffering=0), log)

    def _environment(self, function: Function, scratch: Path) -> Mapping[str, str]:
        """Return the variables of Lambda and of the template, and the offline AWS's address."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": str(scratch),
            "LAMBDA_TASK_ROOT": str(function.folder),
            "_HANDLER": function.handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "offline",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._credentials_of(function.role).environment(),
            **dict(function.environment),
            "AWS_ENDPOINT_URL": self._endpoint,
        }


@dataclass
class _Process:
    popen: subprocess.Popen[bytes]
    requests: IO[str]
    responses: IO[bytes]
    log: Path


@dataclass(eq=False)
class _Worker:
    """One process of one function. `usable` is false after a timeout, an exit, or a handler that does not load."""

    function: Function
    process: _Process
    cold: bool = True
    usable: bool = True

    def run(self, payload: str, request_id: str) -> Answer:
        """Send one request and wait for its answer, at most as long as the function may last."""
        self.cold, timeout = False, self.function.timeout
        request = {
            "event": json.loads(payload), "request_id": request_id, "arn": self.function.arn,
            "deadline": time.time() + timeout,
        }  # fmt: skip
        try:
            self.process.requests.write(json.dumps(request) + "\n")
            self.process.requests.flush()
            line = self._read(time.monotonic() + timeout)
        except TimeoutError:
            self.usable = False
            return _error("Sandbox.Timedout", request_id, f"Task timed out after {timeout}.00 seconds")
        except OSError:
            self.usable = False
            return _error("Runtime.ExitError", request_id, "Runtime exited without providing a reason")
        response = json.loads(line)
        self.usable = not response["last"]
        return Answer(json.dumps(response["payload"]), failed=response["failed"])

    def _read(self, deadline: float) -> bytes:
        descriptor, parts = self.process.responses.fileno(), []
        while True:
            ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(descriptor, 1 << 20)
            if not part:
                raise BrokenPipeError
            parts.append(part)
            if part.endswith(b"\n"):
                return b"".join(parts)

    def end(self) -> None:
        """Kill the process and wait for it."""
        with contextlib.suppress(OSError):
            self.process.requests.close()
        self.process.popen.kill()
        self.process.popen.wait()
        self.process.responses.close()


def _error(kind: str, request_id: str, message: str) -> Answer:
    said = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    return Answer(json.dumps(said), failed=True)
