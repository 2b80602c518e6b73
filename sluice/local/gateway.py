"""The one door to the offline AWS: every SDK, pyarrow and Spark call passes through this WSGI application.

It records each call, asks whether it is allowed, plays injected faults, and lets moto answer.
It knows none of our stages.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from sluice.local.control import PATH, Control
from sluice.local.faults import Fault, Faults, answer
from sluice.local.request import Request, identify

# moto keeps its state in plain dictionaries and compares before it writes, so calls of one service take turns. Not
# these: Lambda's Invoke lasts, SQS may wait for messages and locks for itself, S3 takes turns key by key.
_SIDE_BY_SIDE: Final = frozenset({"lambda", "sqs", "s3"})
_STRIPES: Final = 64
_REMEMBERED: Final = 200_000  # calls; their counts are kept for good

StartResponse = Callable[..., Any]
Authorize = Callable[[Request, str], str | None]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request that reached the gateway. `status` is 0 where the caller got no answer."""

    number: int
    service: str
    operation: str
    resource: str
    principal: str
    status: int
    ms: float
    fault: str = ""


def keep_nothing(_request: Request, _status: int) -> None:
    """Keep nothing: the effect of a call ends with the process. The default `keep`."""


def allow_all(_request: Request, _principal: str) -> str | None:
    """The default `authorize`: role policies are not enforced."""
    return None


class Gateway:
    """A server on a loopback port in front of moto.

    `authorize(request, principal)` returns None, or why the call is denied; `missing` the same for a caller who would
    learn that what it asked for is not there. `keep(request, status)` writes down what a call has changed, before its
    caller gets an answer. `control` answers requests that are no AWS calls: see `sluice.local.control`.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.authorize: Authorize = allow_all
        self.missing: Authorize = allow_all
        self.keep: Callable[[Request, int], None] = keep_nothing
        self.control: Control | None = None
        self.name_of: Callable[[str], str] = lambda _access_key: "unknown"
        self.calls: deque[Call] = deque(maxlen=_REMEMBERED)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._count_lock = threading.Lock()
        self.served = 0
        self._turns: dict[str, threading.Lock] = {}
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_QuietHandler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="gateway", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; requests under way end by themselves."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def counts(self, *, without: Iterable[str] = ()) -> Mapping[tuple[str, str], int]:
        """Calls by service and operation, leaving out those of some principals."""
        left_out, totals = frozenset(without), Counter[tuple[str, str]]()
        with self._count_lock:
            for (principal, service, operation), count in self._counts.items():
                if principal not in left_out:
                    totals[service, operation] += count
        return totals

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if self.control is not None and environ["PATH_INFO"].startswith(PATH):
            return self.control(environ, start_response)
        started = time.monotonic()
        request = identify(environ)
        principal = self.name_of(request.access_key)
        fault = self.faults.strike(request, principal)
        if fault and fault.when == "before":
            self._note(request, principal, status=_status(fault), started=started, fault=fault)
            _drain(environ)
            return _fail(fault, request, environ, start_response)
        if denied := self.authorize(request, principal):
            self._note(request, principal, status=403, started=started)
            _drain(environ)
            return _refuse(request, "denied", denied, environ, start_response)

        heard: list[Any] = []
        with contextlib.ExitStack() as turns:
            for lock in self._locks(request, environ):
                turns.enter_context(lock)
            body = self._moto(environ, lambda *args: heard.append(args))
            chunks = list(body) if fault else body
            self.keep(request, int(heard[-1][0].split()[0]))
        status, headers = heard[-1][0], heard[-1][1]
        if fault:
            self._note(request, principal, status=_status(fault), started=started, fault=fault)
            return _fail(fault, request, environ, start_response)
        if status.startswith("404") and (denied := self.missing(request, principal)):
            self._note(request, principal, status=403, started=started)
            return _refuse(request, "denied", denied, environ, start_response)
        self._note(request, principal, status=int(status.split()[0]), started=started)
        start_response(status, headers)
        return chunks

    def _locks(self, request: Request, environ: Mapping[str, Any]) -> Iterable[threading.Lock]:
        if request.service == "s3" and environ["REQUEST_METHOD"] in {"PUT", "POST", "DELETE"}:
            if request.operation == "DeleteObjects":  # touches keys that only its body names
                return self._stripes
            return [self._stripes[hash(environ["PATH_INFO"]) % _STRIPES]]
        if request.service in _SIDE_BY_SIDE:
            return ()
        return [self._turns.setdefault(request.service, threading.Lock())]

    def _note(
        self, request: Request, principal: str, *, status: int, started: float, fault: Fault | None = None
    ) -> None:
        with self._count_lock:
            self.served += 1
            self._counts[principal, request.service, request.operation] += 1
            self.calls.append(
                Call(
                    number=self.served,
                    service=request.service,
                    operation=request.operation,
                    resource=request.resource,
                    principal=principal,
                    status=status,
                    ms=(time.monotonic() - started) * 1000,
                    fault=f"{fault.kind} {fault.when}" if fault else "",
                )
            )


def _status(fault: Fault) -> int:
    return {"500": 500, "throttle": 429}.get(fault.kind, 0)


def _fail(fault: Fault, request: Request, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    if fault.kind in {"500", "throttle"}:
        return _refuse(request, fault.kind, "injected by a test", environ, start_response)
    if fault.kind == "timeout":
        time.sleep(fault.hold)
    connection: socket.socket = environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("injected by a test")  # werkzeug takes it for a caller who went away


def _drain(environ: dict[str, Any]) -> None:
    """Read the body that nobody has read: otherwise the connection is reset before the answer arrives."""
    with contextlib.suppress(OSError):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def _refuse(
    request: Request, kind: str, message: str, environ: dict[str, Any], start_response: StartResponse
) -> Iterable[bytes]:
    status, content_type, body = answer(request, kind, message)
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("x-amzn-RequestId", "offline")]
    start_response(status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    """moto's handler without an access log, and without 40 ms of waiting for small packets."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  (werkzeug's name)
        """Nothing: the gateway keeps its own record."""
