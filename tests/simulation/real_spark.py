"""Spark itself in the simulation: its tasks live in other processes, and reach the AWS of this one through a door.

The door is an HTTP server on loopback. What comes through it crosses the gate as the simulated process that waits for
Spark at that moment: it may meet faults, stand still, or die there. The order of tasks is Spark's, so a seed is not
played twice alike.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.simulation.gate import Fault, Process
    from tests.simulation.scenario import Verdict

_OPERATIONS = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}
_SLOTS = 4  # tasks side by side: one may stand still while another run's job goes on
_OPEN: list[Door] = []  # in the process of the simulation; never in one of Spark's


@dataclass(frozen=True)
class Client:
    """What makes an S3 client in a task. It names the simulated process by its access key."""

    endpoint: str
    number: int

    def __call__(self) -> S3Client:
        if _OPEN:
            from tests.simulation.world import services  # noqa: PLC0415  (Spark's processes have no AWS)

            return services().s3
        return _client(self.endpoint, self.number)


@lru_cache
def _client(endpoint: str, number: int) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id=f"process{number}",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 2}),
    )


@dataclass
class Job:
    """A job of Spark, and the simulated process that waits for it. Of its requests one goes through at a time."""

    process: Process
    alone: threading.Lock = field(default_factory=threading.Lock)
    is_over: bool = False

    def must_go_on(self) -> None:
        """Answer nobody when nobody waits."""
        from tests.simulation.gate import Lost  # noqa: PLC0415

        if self.is_over:
            raise Lost


@dataclass
class Door:
    """Lets the requests of jobs in."""

    context: Any
    jobs: list[Job] = field(default_factory=list)
    requests: int = 0

    def __post_init__(self) -> None:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                door.enter(self)

            do_HEAD = do_PUT = do_GET  # noqa: N815  (their names)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def run(self, work: Any) -> Any:
        """Do a job of Spark for the simulated process that runs. A job that fails says so, and no more."""
        from sluice.errors import TransientError  # noqa: PLC0415
        from tests.simulation.gate import Crash, current  # noqa: PLC0415

        process = current()
        assert process is not None
        self.jobs.append(job := Job(process))
        endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        try:
            return work(self.context, Client(endpoint, len(self.jobs) - 1))
        except Exception as error:
            if process.dead:
                raise Crash from error
            raise TransientError("the job failed") from error
        finally:
            job.is_over = True
            with job.alone:  # a task that nobody waits for any more may stand in the gate
                pass

    def enter(self, request: BaseHTTPRequestHandler) -> None:
        """Let one request cross the gate, and answer it; hang up where nobody answers."""
        from tests.simulation.aws import aws  # noqa: PLC0415
        from tests.simulation.gate import Crash, Lost, Refused, acting  # noqa: PLC0415

        self.requests += 1
        number = request.headers["Authorization"].partition("Credential=process")[2].partition("/")[0]
        job = self.jobs[int(number)]
        bucket, _, rest = request.path.removeprefix("/").partition("/")
        url = f"https://{bucket}.s3.eu-west-1.amazonaws.com/{rest}"
        headers = {name: value for name, value in request.headers.items() if name != "Host"}  # the URL says it
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        asked = AWSPreparedRequest(request.command, url, headers, body, False)
        try:
            with job.alone, acting(job.process):
                job.must_go_on()
                status, told, said = aws().ask(_OPERATIONS[request.command], asked)
        except (Crash, Lost):
            request.close_connection = True
            return
        except Refused:
            status, told, said = 503, {}, b""
        said = said.encode() if isinstance(said, str) else said
        request.send_response(status)
        for name, value in dict(told).items():
            if name.lower() not in {"content-length", "date", "server", "connection"}:
                request.send_header(name, str(value))
        request.send_header("Content-Length", str(dict(told).get("content-length", len(said))))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(said)


def play_on_spark(stories: Sequence[tuple[int, tuple[Fault, ...]]]) -> list[tuple[Verdict, int]]:
    """Play seeds, with more faults, all objects on Spark; return verdicts, each with the requests of its tasks."""
    from tests.simulation.scenario import Story, write  # noqa: PLC0415  (AWS begins in the process that plays)
    from tests.spark_context import spark_context  # noqa: PLC0415

    verdicts = []
    with tempfile.TemporaryDirectory() as folder, spark_context(Path(folder), slots=_SLOTS, attempts=2) as context:
        context.setLogLevel("OFF")  # tasks die on purpose
        for seed, faults in stories:
            told = write(seed)
            with Story(replace(told, distributed=True, faults=(*told.faults, *faults))) as story:
                _OPEN.append(door := Door(context))
                story.world.spark = door.run
                story.until(float("inf"))
                verdicts.append((story.judge(), door.requests))
                door.server.shutdown()
                _OPEN.clear()
    return verdicts
