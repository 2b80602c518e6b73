"""Fix and replay: rejected records as files that can be repaired, and which rejects such files have closed.

A repaired file is an object like any other and goes the normal way: `repaired-<identity>` in the dataset's folder,
where the identity is that of the object version whose rejects it holds. Once it is loaded, the rejects of that version
are closed: whoever repaired it gave up the records that it leaves out, and a record that is still wrong is a reject of
the repaired file. Only keys and the ledger say so: the rejects table stays a function of the raw zone.
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
_NAMES = ("repaired", "mended")  # how the names of repaired files begin, the present word first; 0.1.0 said mended
_WHY = ("row_number", "column", "rule", "reason", "value")


@dataclass(frozen=True, kw_only=True)
class RepairedFile:
    """A file to be repaired: the object that its records come from, and how many they are."""

    path: Path
    object: str
    version: str
    records: int


def identity(version: Version) -> str:
    """Name an object version in a file's name. 16 hex digits."""
    return hashlib.sha256("\n".join(version).encode()).hexdigest()[:16]


def closed(target: Target, dataset: str) -> frozenset[str]:
    """Identities of the object versions whose rejects a loaded repaired file has closed."""
    from sluice.ledger.model import load_id  # noqa: PLC0415

    ledger, listing = target.ledger(), target.client("s3").get_paginator("list_object_versions")
    found = set()
    for prefix in (f"{dataset}/{word}-" for word in _NAMES):
        for page in listing.paginate(Bucket=target.raw_bucket, Prefix=prefix):
            for item in page.get("Versions", []):
                load = ledger.find(dataset, load_id(target.raw_bucket, item["Key"], item["VersionId"]))
                if item["IsLatest"] and load is not None and load.state == "DONE":
                    found.add(item["Key"].removeprefix(prefix).partition(".")[0])
    return frozenset(found)


def write_repairable(
    target: Target,
    plan: Plan,
    broken: Mapping[Version, Sequence[Mapping[str, Any]]],
    folder: Path,
    *,
    progress: Callable[[str], None],
) -> Sequence[RepairedFile]:
    """Write for each object version the records that are rejected, and beside them why. `broken` lists broken rules.

    Raises CommandError where a file is there already: it may be half repaired.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (version, rules) in enumerate(broken.items(), 1):
        progress(f"Writing: object {number} of {len(broken)}")
        path = folder / f"{_NAMES[0]}-{identity(version)}{file_type(plan.reading.format).suffixes[0]}"
        if path.exists():
            raise CommandError(f"{path} is there already.", how="Put it or remove it first; it may be half repaired.")
        rows = sorted({int(rule["row_number"]) for rule in rules})
        records = _write(target, plan, version, rows, path)
        with path.with_suffix(".why.txt").open("w", encoding="utf-8", newline="") as why:
            writer = csv.DictWriter(why, _WHY, extrasaction="ignore", delimiter="\t")
            writer.writeheader()
            writer.writerows(rules)
        files.append(RepairedFile(path=path, object=version[0], version=version[1], records=records))
    return files


def _write(target: Target, plan: Plan, version: Version, rows: Sequence[int], path: Path) -> int:
    from sluice.kernel.outcome import Limits, SourceFile  # noqa: PLC0415
    from sluice.kernel.readers.excerpt import write_records  # noqa: PLC0415  (DuckDB)

    key, version_id = version
    with tempfile.TemporaryDirectory(prefix="sluice-repair-") as name:
        local = Path(name) / "object"
        more = {"VersionId": version_id}
        target.client("s3").download_file(target.raw_bucket, key, str(local), ExtraArgs=more)
        source = SourceFile(path=local, load_id="repair", key=key, version_id=version_id, order="")
        return write_records(source, plan, rows, path, scratch=Path(name) / "scratch", limits=Limits())
