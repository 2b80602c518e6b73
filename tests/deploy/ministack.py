"""An offline AWS that nobody here wrote (ministack), and the CDK's own command line pointed at it. Loopback only."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3

from sluice.node import node_folder

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tools" / "ministack" / ".venv" / "bin" / "ministack"
CDK = ROOT / "tools" / "cdk" / "node_modules" / "aws-cdk" / "bin" / "cdk"
ACCOUNT, REGION = "000000000000", "eu-west-1"


@dataclass(frozen=True)
class Ministack:
    """A running server. `environment` points SDKs and the CDK's command line at it, and at nothing else."""

    environment: Mapping[str, str]
    log: Path

    def cdk(self, *words: str) -> subprocess.CompletedProcess[str]:
        node = node_folder()
        assert node is not None
        return subprocess.run(
            [node / "node", CDK, *words, "--no-notices"],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=REGION,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def ministack(folder: Path) -> Iterator[Ministack]:
    """Start a server with nothing in it, and end it."""
    assert SERVER.exists(), "run make tools"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nothing = folder / "nothing"
    nothing.touch()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "CI": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_CONFIG_FILE": str(nothing),
        "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(folder / "s3"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    log = folder / "ministack.log"
    with log.open("w") as out, subprocess.Popen([SERVER], env={**environment, **server}, stdout=out, stderr=out) as it:
        try:
            _wait(port, it)
            yield Ministack(environment, log)
        finally:
            it.terminate()


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "ministack ended"
        try:
            with urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError("ministack did not start")
