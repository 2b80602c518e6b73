"""Third-party packages for each Lambda function, for its runtime, on any host, without Docker: `sluice package`.

Versions and hashes come from requirements.lock, so the deployed packages are the tested ones. Fills
build/packages/<stage>/ of a project.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sluice.bundle import bundled

from .assets import PACKAGES
from .settings import Stage

LIMIT_MIB = 250  # unzipped, code included: AWS Lambda quotas
PYTHON, PLATFORM = "3.13", "aarch64-manylinux_2_28"  # as stage_function.py deploys them

_POWERTOOLS = ("aws-lambda-powertools",)
_KERNEL = (*_POWERTOOLS, "duckdb", "pyarrow", "python-calamine", "zstandard")
_TABLES = (*_POWERTOOLS, "pyiceberg", "pyarrow")
STAGES: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {
        "ingest": _POWERTOOLS,
        "reconcile": _POWERTOOLS,
        "claim": _TABLES,
        "transform": _KERNEL,
        "publish": (*_TABLES, "duckdb", "zstandard"),
        "settle": _POWERTOOLS,
        "refresh": _TABLES,
        "maintain": (*_TABLES, "duckdb", "zstandard"),
    }
)
# What the kernel needs on Glue beyond what Glue brings.
GLUE_MODULES = ("duckdb", "pyarrow", "python-calamine", "zstandard")
# Lambda's runtime for Python brings these, and Glue does.
PROVIDED = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3"})
# What no function uses: headers, tests, type stubs, and Arrow's parts for Flight, Gandiva and substrait's compiler.
_PRUNED = (
    "pyarrow/include", "pyarrow/tests", "pyarrow/src", "pyarrow/libarrow_flight*", "pyarrow/libarrow_python_flight*",
    "pyarrow/_flight*", "pyarrow/libgandiva*", "pyarrow/gandiva*", "pyarrow/*.pxd", "pyarrow/includes", "pyarrow/*.a",
    "bin", "**/*.pyi", "**/__pycache__", "hive_metastore", "pygments/lexers", "duckdb-stubs", "adbc_driver_duckdb",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A Python and a platform as `uv` names them."""

    python: str = PYTHON
    platform: str = PLATFORM


GLUE = Platform(python="3.11", platform="x86_64-manylinux_2_28")  # Glue 5.1
_GLUE_TAGS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")  # pip takes each at its word


def package(names: tuple[str, ...], *, lock: Path, folder: Path, target: Platform) -> int:
    """Install packages and their dependencies into `folder`, except provided ones. Returns its size in bytes."""
    return install(_closure(names, lock=lock, target=target) - PROVIDED, lock=lock, folder=folder, target=target)


def install(names: frozenset[str], *, lock: Path, folder: Path, target: Platform) -> int:
    """Install exactly these packages, as locked, into `folder`, replacing it. Returns its size in bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pinned = _pin(names, lock=lock, folder=folder)
    _uv(
        "pip", "install", "--target", str(folder), "--require-hashes", "--no-deps", "--only-binary", ":all:",
        *_for(target), "-r", str(pinned),
    )  # fmt: skip
    for pattern in _PRUNED:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return size_of(folder)


def wheels(names: tuple[str, ...], *, lock: Path, folder: Path) -> Sequence[Path]:
    """Fetch the wheels of packages, with all that they need, for Glue into `folder`, replacing it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pinned = _pin(_closure(names, lock=lock, target=GLUE) - PROVIDED, lock=lock, folder=folder)
    tags = [word for tag in _GLUE_TAGS for word in ("--platform", tag)]
    subprocess.run(  # noqa: S603  (our own pip, our own lock)
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
            "--no-deps", "--only-binary", ":all:", "--python-version", GLUE.python, *tags,
            "--dest", str(folder), "--requirement", str(pinned),
        ],
        check=True,
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


def size_of(folder: Path) -> int:
    """Bytes of all files below the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _closure(names: tuple[str, ...], *, lock: Path, target: Platform) -> frozenset[str]:
    """Name the packages with everything they need, at the locked versions."""
    done = _uv(
        "pip", "compile", "-", "--no-header", "--no-annotate", "--constraint", str(lock), *_for(target),
        said="\n".join(names),
    )  # fmt: skip
    return frozenset(line.partition("==")[0] for line in done.splitlines() if "==" in line)


def _pin(names: frozenset[str], *, lock: Path, folder: Path) -> Path:
    """Write the lines of the lock that concern the names, hashes and all."""
    pinned = folder / "requirements.txt"
    pinned.write_text("".join(block for name, block in _locked(lock.read_text()) if name in names), encoding="utf-8")
    return pinned


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Split a lock into (name, its lines with hashes)."""
    for block in re.findall(r"^[a-z0-9][^\n]*\\\n(?:    [^\n]*\n)+", text, re.MULTILINE):
        yield block.partition("==")[0], block


def _for(target: Platform) -> tuple[str, ...]:
    return ("--python-version", target.python, "--python-platform", target.platform)


def _uv(*words: str, said: str = "") -> str:
    command = [str(Path(sys.executable).with_name("uv")), *words, "--quiet"]
    return subprocess.run(command, input=said, text=True, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603


def main(project: Path) -> int:
    """Package every stage, and the job, for a project and print the sizes. Returns 1 if a stage does not fit."""
    lock, packages = bundled("requirements.lock"), project / PACKAGES
    made: dict[tuple[str, ...], Path] = {}
    fits = True
    for stage, names in STAGES.items():
        folder = packages / stage
        if names in made:  # the same packages again
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(made[names], folder)
            size = size_of(folder)
        else:
            size = package(names, lock=lock, folder=folder, target=Platform())
            made[names] = folder
        fits = fits and size < LIMIT_MIB << 20
        print(f"{stage:10} {size / (1 << 20):6.1f} MiB of {LIMIT_MIB}  {', '.join(names)}")
    fetched = wheels(GLUE_MODULES, lock=lock, folder=packages / "glue")
    total = sum(wheel.stat().st_size for wheel in fetched)
    print(f"{'glue':10} {total / (1 << 20):6.1f} MiB in wheels  {', '.join(wheel.name for wheel in fetched)}")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
