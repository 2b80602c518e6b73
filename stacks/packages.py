"""Third-party packages for each Lambda function, resolved for its runtime on any host, without Docker: `make package`.

Versions and hashes come from requirements.lock, so what is deployed is what was tested. Fills build/packages/<stage>/.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from stacks.settings import Stage

LIMIT_MIB = 250  # unzipped, code included: AWS Lambda quotas
PYTHON, PLATFORM = "3.13", "aarch64-manylinux_2_28"  # as stage_function.py deploys them

_POWERTOOLS = ("aws-lambda-powertools",)
_KERNEL = (*_POWERTOOLS, "duckdb", "openpyxl", "zstandard")
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
    }
)
# The runtime brings these.
_PROVIDED = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3"})
# What no function uses: headers, tests, type stubs, and Arrow's parts for Flight, Gandiva and substrait's compiler.
_PRUNED = (
    "pyarrow/include", "pyarrow/tests", "pyarrow/src", "pyarrow/libarrow_flight*", "pyarrow/libarrow_python_flight*",
    "pyarrow/_flight*", "pyarrow/libgandiva*", "pyarrow/gandiva*", "pyarrow/*.pxd", "pyarrow/includes", "pyarrow/*.a",
    "bin", "**/*.pyi", "**/__pycache__", "hive_metastore", "pygments/lexers", "duckdb-stubs", "adbc_driver_duckdb",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Python and a platform as `uv` names them."""

    python: str = PYTHON
    platform: str = PLATFORM


def package(stage: Stage, *, lock: Path, folder: Path, target: Target) -> int:
    """Install the stage's packages into `folder`, replacing it. Returns its size in bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = _closure(STAGES[stage], lock=lock, target=target) - _PROVIDED
    pinned = folder / "requirements.txt"
    pinned.write_text("".join(block for name, block in _locked(lock.read_text()) if name in names), encoding="utf-8")
    _uv(
        "pip", "install", "--target", str(folder), "--require-hashes", "--no-deps", "--only-binary", ":all:",
        *_for(target), "-r", str(pinned),
    )  # fmt: skip
    for pattern in _PRUNED:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _closure(names: tuple[str, ...], *, lock: Path, target: Target) -> frozenset[str]:
    """Name the packages with everything they need, at the locked versions."""
    done = _uv(
        "pip", "compile", "-", "--no-header", "--no-annotate", "--constraint", str(lock), *_for(target),
        said="\n".join(names),
    )  # fmt: skip
    return frozenset(line.partition("==")[0] for line in done.splitlines() if "==" in line)


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Split a lock into (name, its lines with hashes)."""
    for block in re.findall(r"^[a-z0-9][^\n]*\\\n(?:    [^\n]*\n)+", text, re.MULTILINE):
        yield block.partition("==")[0], block


def _for(target: Target) -> tuple[str, ...]:
    return ("--python-version", target.python, "--python-platform", target.platform)


def _uv(*words: str, said: str = "") -> str:
    command = [str(Path(sys.executable).with_name("uv")), *words, "--quiet"]
    return subprocess.run(command, input=said, text=True, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603


def main() -> int:
    """Package every stage and print the sizes. Answers 1 if one does not fit."""
    root = Path(__file__).parents[1]
    made: dict[tuple[str, ...], Path] = {}
    fits = True
    for stage, names in STAGES.items():
        folder = root / "build" / "packages" / stage
        if names in made:  # the same packages again
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(made[names], folder)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        else:
            size = package(stage, lock=root / "requirements.lock", folder=folder, target=Target())
            made[names] = folder
        fits = fits and size < LIMIT_MIB << 20
        print(f"{stage:10} {size / (1 << 20):6.1f} MiB of {LIMIT_MIB}  {', '.join(names)}")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
