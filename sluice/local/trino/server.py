"""One Trino on this machine, at the offline Glue and S3, for as long as a block lasts."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.local.trino.client import Trino, TrinoError
from sluice.local.trino.install import Installed

CATALOG = "awsdatacatalog"  # as Athena calls the Glue catalog
_START_SECONDS = 240
_JVM = (
    *("-Xmx3G", "-Xms512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=256M"),
    *("-XX:+ExitOnOutOfMemoryError", "-Djdk.attach.allowAttachSelf=true", "-Dfile.encoding=UTF-8"),
)


@contextmanager
def start(
    installed: Installed, *, endpoint: str, region: str, access_key: str, secret_key: str, database: str
) -> Iterator[Trino]:
    """Start Trino with the rights of one key; yield a client once it answers. Raises TrinoError if not."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-trino-"))
    port = _free_port()
    _configure(folder, installed, port=port, endpoint=endpoint, region=region, keys=(access_key, secret_key))
    with (folder / "log").open("wb") as log:
        command = [
            *(str(installed.java / "bin" / "java"), *_JVM, "-cp", f"{installed.server}/lib/*"),
            *("-Dnode.environment=offline", f"-Dnode.data-dir={folder}/data", "-Dnode.internal-address=127.0.0.1"),
            *(f"-Dconfig={folder}/etc/config.properties", f"-Dlog.levels-file={folder}/etc/log.properties"),
            f"-Dcatalog.config-dir={folder}/etc/catalog",
            "io.trino.server.TrinoServer",
        ]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            client = Trino(port=port, catalog=CATALOG, schema=database)
            _wait(client, server, folder / "log")
            yield client
        finally:
            server.terminate()
            server.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


def _configure(
    folder: Path, installed: Installed, *, port: int, endpoint: str, region: str, keys: tuple[str, str]
) -> None:
    (folder / "etc" / "catalog").mkdir(parents=True)
    (folder / "plugin").mkdir()
    (folder / "plugin" / "iceberg").symlink_to(installed.server / "plugin" / "iceberg")  # one: start-up halves
    _write(
        folder / "etc" / "config.properties",
        {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(port),
            "discovery.uri": f"http://127.0.0.1:{port}",
            "query.max-memory": "1GB",
            "query.max-memory-per-node": "1GB",
            "memory.heap-headroom-per-node": "512MB",
            "plugin.dir": str(folder / "plugin"),
        },
    )
    _write(folder / "etc" / "log.properties", {"io.trino": "WARN"})
    _write(
        folder / "etc" / "catalog" / f"{CATALOG}.properties",
        {
            "connector.name": "iceberg",
            "iceberg.catalog.type": "glue",
            "hive.metastore.glue.endpoint-url": endpoint,
            "hive.metastore.glue.region": region,
            "hive.metastore.glue.aws-access-key": keys[0],
            "hive.metastore.glue.aws-secret-key": keys[1],
            "fs.native-s3.enabled": "true",
            "s3.endpoint": endpoint,
            "s3.region": region,
            "s3.path-style-access": "true",
            "s3.aws-access-key": keys[0],
            "s3.aws-secret-key": keys[1],
        },
    )


def _write(path: Path, properties: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")


def _wait(client: Trino, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not client.is_ready():
        if server.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").splitlines()[-5:]
            raise TrinoError("STARTUP_FAILED", "Trino did not start: " + " / ".join(said))
        time.sleep(0.25)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
