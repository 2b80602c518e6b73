"""AWS inside this process: moto's own backends behind the gate, without HTTP, threads or a wall clock.

boto3 calls through `direct.py` or sends through `before-send`, pyiceberg reads and writes through a FileIO of ours;
nothing of Sluice is replaced.
What is replaced belongs to libraries: how requests travel, threads (a simulated process has one), sleeping, the time
of S3, and identifiers, which come from the seed.
"""

from __future__ import annotations

import gc
import io
import random
import re
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.endpoint
import moto.s3.models
import pyiceberg.table.metadata
import pyiceberg.table.snapshots
import pyiceberg.table.update
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto import backends
from moto.backend_index import backend_url_patterns
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import HTTPException
from moto.core.request import normalize_request
from moto.moto_api._internal import mock_random, moto_api_backend
from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.manifest import clear_manifest_cache

from sluice.local.faults import answer
from sluice.local.request import Request
from sluice.local.seams import dynamodb_transactions, glue_version
from tests.simulation import direct, remember, warm
from tests.simulation.gate import Gate, Lost, Refused, current

REGION = "eu-west-1"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108  (folders below it, with names of their own)
START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
_NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}|snap-\d+|\d+")


class Aws:
    """The AWS of this operating system process. One world at a time holds `gate`."""

    gate: Gate

    def __init__(self) -> None:
        _install(self)
        self.session = boto3.Session(region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret")
        self.session.events.register("before-send", self._send)
        direct.install(self, self.session, region=REGION)
        self.direct = True
        self._here = threading.local()

    def reset(self, gate: Gate, seed: int) -> None:
        """A fresh AWS, everything random in it decided by the seed."""
        self.gate = gate
        moto_api_backend.reset()
        clear_manifest_cache()  # by names, and names come again with their seed
        mock_random.seed(seed)
        random.seed(seed)
        self.identifiers = random.Random(seed)
        self._stamps = 0

    def now(self) -> datetime:
        """The time of the world."""
        return START + timedelta(seconds=self.gate.scheduler.clock)

    def s3_now(self) -> datetime:
        """Tell S3 the time. No two objects are of one microsecond: moto could not tell which came first."""
        self._stamps += 1
        return self.now().replace(tzinfo=None) + timedelta(microseconds=self._stamps)

    def sleep(self, seconds: float) -> None:
        """Let time of the world pass for the process that asks."""
        self.gate.scheduler.sleep(seconds)

    def first(self, service: str, operation: str, asked: dict[str, Any], effect: Callable[[], Any]) -> Any | None:
        """Let a call cross the gate before boto3 makes a request of it.

        Return what it came to; None if boto3 has to send it after all, which then does not cross the gate again: its
        first request meets what was met here.
        """
        where = place(asked.get("Bucket", ""), asked.get("Key", "")) if service == "s3" else ""
        self._here.met = None
        try:
            answered = self.gate.cross(service, operation, where, effect)
        except (Lost, Refused) as outage:
            self._here.met = outage
            return None
        if answered is None:
            self._here.met = "nothing"
        return answered

    def ask(self, operation: str, request: AWSPreparedRequest) -> tuple[int, Any, Any]:
        """Let a request to S3 from another operating system process cross the gate; return status, headers, body."""
        answered: tuple[int, Any, Any] = self.gate.cross(
            "s3", operation, _place("s3", request), lambda: _answer("s3", request)
        )
        return answered

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        _, service, operation = event_name.split(".", 2)
        met = vars(self._here).pop("met", None)

        def effect() -> AWSResponse:
            status, headers, body = _answer(service, request)
            return AWSResponse(request.url, status, headers, MockRawResponse(body))

        try:
            if isinstance(met, Exception):
                raise met
            if met is not None:
                return effect()
            answered: AWSResponse = self.gate.cross(service, operation, _place(service, request), effect)
        except Lost:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        except Refused as refused:
            asked = Request(service=service, operation=operation, resource="", access_key="")
            status, _, body = answer(asked, {"error": "500"}.get(refused.kind, refused.kind), "simulated")
            return AWSResponse(request.url, int(status.split()[0]), {}, MockRawResponse(body))
        return answered


@cache
def aws() -> Aws:
    """The one AWS of this process."""
    return Aws()


def _answer(service: str, request: Any) -> tuple[int, Any, Any]:
    clean = request.url.partition("?")[0]
    respond = _respond(service, re.sub(r"^(https?://[^/]*).*", r"\1", clean), clean)
    asked = normalize_request(request)
    try:
        return respond(asked, asked.raw_url, asked.headers)
    except HTTPException as error:
        return error.code, error.get_headers(), error.get_body()


@cache
def _service(host: str) -> str:
    return next(service for service, pattern in backend_url_patterns if pattern.match(f"{host}/"))


@cache
def _patterns(service: str) -> list[tuple[re.Pattern[str], Any]]:
    regions = backends.get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
    backend = regions["us-east-1" if "us-east-1" in regions else "aws"]
    return [(re.compile(url), respond) for url, respond in backend.urls.items()]


def _respond(_service_of_client: str, host: str, clean: str) -> Any:
    return next(respond for pattern, respond in _patterns(_service(host)) if pattern.match(clean))


def _place(service: str, request: Any) -> str:
    if service != "s3":
        return ""
    host, _, path = request.url.partition("?")[0].removeprefix("https://").partition("/")
    return place(host.partition(".")[0], path)


def place(bucket: str, key: str) -> str:
    """Where a call goes, without what differs from run to run."""
    if bucket.startswith("raw"):
        return "raw"
    return _NUMBERS.sub("*", key)


class GateIO(FileIO):
    """pyiceberg's files, through the gate: an outage is an OSError, as it is with pyarrow's file system."""

    def new_input(self, location: str) -> InputFile:
        return _Input(location)

    def new_output(self, location: str) -> OutputFile:
        return _Output(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        uri = location if isinstance(location, str) else location.location
        bucket, key = _split(uri)
        _cross("file.delete", uri, lambda: _s3().delete_object(bucket, key, None))


class _Input(InputFile):
    def _value(self) -> bytes:
        bucket, key = _split(self.location)
        found = _s3().get_object(bucket, key)
        if found is None:
            raise FileNotFoundError(self.location)
        return bytes(found.value)

    def __len__(self) -> int:
        return len(_cross("file.size", self.location, self._value))

    def exists(self) -> bool:
        bucket, key = _split(self.location)
        return _cross("file.exists", self.location, lambda: _s3().get_object(bucket, key) is not None)

    def open(self, seekable: bool = True) -> Any:  # noqa: ARG002
        return io.BytesIO(_cross("file.open", self.location, self._value))


class _Output(OutputFile):
    def __len__(self) -> int:
        return len(self.to_input_file())

    def exists(self) -> bool:
        return self.to_input_file().exists()

    def to_input_file(self) -> InputFile:
        return _Input(self.location)

    def create(self, overwrite: bool = False) -> Any:
        if not overwrite and self.exists():
            raise FileExistsError(self.location)
        return _Writing(self.location)


class _Writing(io.BytesIO):
    """The object is there once the stream is closed, as with a multipart upload."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self._location = location

    def close(self) -> None:
        if not self.closed:
            bucket, key = _split(self._location)
            body = self.getvalue()
            super().close()
            _cross("file.create", self._location, lambda: _s3().put_object(bucket, key, body))


def _cross(operation: str, uri: str, effect: Callable[[], Any]) -> Any:
    try:
        return aws().gate.cross("s3", operation, place(*_split(uri)), effect)
    except (Lost, Refused) as outage:
        raise OSError("simulated") from outage


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _s3() -> Any:
    return moto.s3.models.s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _install(here: Aws) -> None:
    """Take the clock, threads and chance out of the libraries of this operating system process."""
    gc.set_threshold(50_000, 50, 50)  # everything here is short-lived
    glue_version.install()
    dynamodb_transactions.install()
    remember.install()
    warm.install(MEMORY)
    uuid4 = uuid.uuid4

    def inline(_: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_running_or_notify_cancel()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (a future carries it; a Crash passes)
            done.set_exception(error)
        return done

    def seeded() -> uuid.UUID:
        return uuid4() if current() is None else uuid.UUID(int=here.identifiers.getrandbits(128), version=4)

    ThreadPoolExecutor.submit = inline  # type: ignore[method-assign]
    uuid.uuid4 = seeded
    botocore.endpoint.time = SimpleNamespace(sleep=here.sleep)  # type: ignore[assignment]
    moto.s3.models.utcnow = here.s3_now

    class Clock(datetime):
        """What pyiceberg takes for the wall clock."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return here.now().astimezone(tz)

    pyiceberg.table.snapshots.time = SimpleNamespace(time=lambda: here.now().timestamp())  # type: ignore[assignment]
    pyiceberg.table.metadata.datetime = SimpleNamespace(datetime=Clock)  # type: ignore[assignment]
    pyiceberg.table.update.datetime = Clock  # type: ignore[misc]
