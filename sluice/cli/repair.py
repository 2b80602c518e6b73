"""Fix and replay: rejected records as files that can be repaired, and which rejects such files have closed.

A repaired file is an object like any other and goes the normal way: its name in the dataset's folder says whose rejects
it holds and how old they are (`sluice.contract.repairs`), so that it takes the place of the object version that they
come from. Once it is loaded, the rejects of that version are closed: whoever repaired it gave up the records that it
leaves out, and a record that is still wrong is a reject of the repaired file. Only keys and the ledger say so: the
rejects table stays a function of the raw zone.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.cli.arrived import arrived_since, left_over
from sluice.cli.exits import CommandError
from sluice.cli.target import Target
from sluice.contract.filetypes import file_type
from sluice.contract.repairs import PREFIXES, name_of, repaired_identity

if TYPE_CHECKING:
    from sluice.contract.plan import Plan

Version = tuple[str, str]  # key and version id of an object
_WHY = ("row_number", "column", "rule", "reason", "value")


@dataclass(frozen=True, kw_only=True)
class RepairedFile:
    """A file to be repaired: the object that its records come from, and how many they are."""

    path: Path
    object: str
    version: str
    records: int


@dataclass(frozen=True, kw_only=True)
class Written:
    """Files to be repaired, and how many records are in none because their keys have arrived since."""

    files: tuple[RepairedFile, ...]
    arrived: int


def closed(target: Target, dataset: str) -> frozenset[str]:
    """Identities of the object versions whose rejects a loaded repaired file has closed."""
    from sluice.ledger.model import load_id  # noqa: PLC0415

    ledger, listing = target.ledger(), target.client("s3").get_paginator("list_object_versions")
    found = set()
    for prefix in PREFIXES:
        for page in listing.paginate(Bucket=target.raw_bucket, Prefix=f"{dataset}/{prefix}"):
            for item in page.get("Versions", []):
                load = ledger.find(dataset, load_id(target.raw_bucket, item["Key"], item["VersionId"]))
                repaired = repaired_identity(item["Key"])
                if item["IsLatest"] and load is not None and load.state == "DONE" and repaired is not None:
                    found.add(repaired)
    return frozenset(found)


def write_repairable(
    target: Target,
    plan: Plan,
    broken: Mapping[Version, Sequence[Mapping[str, Any]]],
    folder: Path,
    *,
    progress: Callable[[str], None],
) -> Written:
    """Write for each object version the records that are rejected, and beside them why. `broken` lists broken rules.

    Records whose keys have arrived since are left out (`arrived`). Raises CommandError where a file is there already:
    it may be half repaired.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files, left_out = [], 0
    for number, (version, rules) in enumerate(broken.items(), 1):
        progress(f"Writing: object {number} of {len(broken)}")
        key, version_id = version
        order, suffix = str(rules[0]["object_order"]), file_type(plan.reading.format).suffixes[0]
        path = folder / name_of(key=key, version_id=version_id, order=order, suffix=suffix)
        if path.exists():
            raise CommandError(f"{path} is there already.", how="Put it or remove it first; it may be half repaired.")
        rows = sorted({int(rule["row_number"]) for rule in rules})
        records = _write(target, plan, version, rows, path)
        with tempfile.TemporaryDirectory(prefix="sluice-repair-") as scratch:
            arrived = arrived_since(target, plan, path, rows, order=order, scratch=Path(scratch))
        if arrived:
            left_out += len(arrived)
            path.unlink()
            needed = [row for row in rows if row not in arrived]
            if not needed:
                continue
            records = _write(target, plan, version, needed, path)
        with path.with_suffix(".why.txt").open("w", encoding="utf-8", newline="") as why:
            writer = csv.DictWriter(why, _WHY, extrasaction="ignore", delimiter="\t")
            writer.writeheader()
            writer.writerows(left_over(rules, arrived))
        files.append(RepairedFile(path=path, object=version[0], version=version[1], records=records))
    return Written(files=tuple(files), arrived=left_out)


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
