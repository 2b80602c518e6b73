"""What provenance is asked of: one deployment's tables, ledger and raw bucket, behind a few plain questions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.outcome import Limits, SourceFile
from sluice.lake.objects import VanishedError, fetch_version
from sluice.warehouse.mart import Mart

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from sluice.ledger.table import Ledger

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """One deployment. `ask` runs a SELECT by Athena and returns rows; `exists` tells whether a table is there."""

    plans: Mapping[str, Plan]
    marts: Sequence[Mart]
    ledger: Ledger
    s3: S3Client
    raw_bucket: str
    ask: Callable[[str], Sequence[Row]]
    exists: Callable[[str], bool]

    def raw_text(self, plan: Plan, *, key: str, version_id: str, record: int) -> str | None:
        """Return a record as it stands in its object, its header line first where the format has one.

        Returns None where the object version is gone, the format is not text, or the contract hides values of it.
        """
        from sluice.kernel.readers.excerpt import write_records  # noqa: PLC0415  (DuckDB)

        if plan.protects:
            return None
        with tempfile.TemporaryDirectory(prefix="sluice-why-") as name:
            local, target = Path(name) / "object", Path(name) / "record"
            source = SourceFile(path=local, load_id="why", key=key, version_id=version_id, order="")
            try:
                fetch_version(self.s3, bucket=self.raw_bucket, key=key, version_id=version_id, path=local)
                write_records(source, plan, [record], target, scratch=Path(name) / "scratch", limits=Limits())
            except (VanishedError, DataError):
                return None
            return target.read_bytes().decode(plan.reading.encoding, errors="replace").rstrip("\r\n")


def literal_of(value: str, kind: str) -> str:
    """Return Athena SQL for a value that a person typed, as a column's type (Iceberg's name)."""
    text = "'" + value.replace("'", "''") + "'"
    if kind == "string":
        return text
    if kind in {"int", "long", "float", "double", "boolean"} or kind.startswith("decimal"):
        athena = {"int": "integer", "long": "bigint", "float": "real"}.get(kind, kind)
        return f"CAST({text} AS {athena})"
    return f"CAST({text} AS {kind})"
