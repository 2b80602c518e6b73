"""Fix and replay: rejected records as files that can be mended, and which rejects such files have closed.

A mended file is an object like any other and goes the normal way: `mended-<identity>` in the dataset's folder, where
the identity is that of the object version whose rejects it holds. Once it is loaded, the rejects of that version are
closed: what was left out of it was given up by whoever mended it, and what is still wrong is a reject of the mended
file. Nothing but keys and the ledger says so, so the rejects table stays a function of the raw zone.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.cli.exits import CommandError
from sluice.cli.target import Target
from sluice.contract.filetypes import file_type

if TYPE_CHECKING:
    from sluice.contract.plan import Plan

Version = tuple[str, str]  # key and version id of an object
_WHY = ("row_number", "column", "rule", "reason", "value")


@dataclass(frozen=True, kw_only=True)
class MendedFile:
    """A file to be mended: the object that its records come from, and how many they are."""

    path: Path
    object: str
    version: str
    records: int


def identity(version: Version) -> str:
    """Name an object version in a file's name. 16 hex digits."""
    return hashlib.sha256("\n".join(version).encode()).hexdigest()[:16]


def closed(target: Target, dataset: str) -> frozenset[str]:
    """Identities of the object versions whose rejects a loaded mended file has closed."""
    from sluice.ledger.model import load_id  # noqa: PLC0415

    ledger, prefix = target.ledger(), f"{dataset}/mended-"
    pages = target.client("s3").get_paginator("list_object_versions").paginate(Bucket=target.raw_bucket, Prefix=prefix)
    found = set()
    for page in pages:
        for item in page.get("Versions", []):
            load = ledger.find(dataset, load_id(target.raw_bucket, item["Key"], item["VersionId"]))
            if item["IsLatest"] and load is not None and load.state == "DONE":
                found.add(item["Key"].removeprefix(prefix).partition(".")[0])
    return frozenset(found)


def write_mendable(
    target: Target,
    plan: Plan,
    broken: Mapping[Version, Sequence[Mapping[str, Any]]],
    folder: Path,
    *,
    progress: Callable[[str], None],
) -> Sequence[MendedFile]:
    """Write for each object version the records that are rejected, and beside them why. `broken` lists broken rules.

    Raises CommandError where a file is there already: it may be half mended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (version, rules) in enumerate(broken.items(), 1):
        progress(f"Writing: object {number} of {len(broken)}")
        path = folder / f"mended-{identity(version)}{file_type(plan.reading.format).suffixes[0]}"
        if path.exists():
            raise CommandError(f"{path} is there already.", how="Put it or remove it first; it may be half mended.")
        rows = sorted({int(rule["row_number"]) for rule in rules})
        records = _write(target, plan, version, rows, path)
        with path.with_suffix(".why.txt").open("w", encoding="utf-8", newline="") as why:
            writer = csv.DictWriter(why, _WHY, extrasaction="ignore", delimiter="\t")
            writer.writeheader()
            writer.writerows(rules)
        files.append(MendedFile(path=path, object=version[0], version=version[1], records=records))
    return files


def _write(target: Target, plan: Plan, version: Version, rows: Sequence[int], path: Path) -> int:
    from sluice.kernel.outcome import Limits, SourceFile  # noqa: PLC0415
    from sluice.kernel.readers.excerpt import write_records  # noqa: PLC0415  (DuckDB)

    key, version_id = version
    with tempfile.TemporaryDirectory(prefix="sluice-mend-") as name:
        local = Path(name) / "object"
        more = {"VersionId": version_id}
        target.client("s3").download_file(target.raw_bucket, key, str(local), ExtraArgs=more)
        source = SourceFile(path=local, load_id="mend", key=key, version_id=version_id, order="")
        return write_records(source, plan, rows, path, scratch=Path(name) / "scratch", limits=Limits())
