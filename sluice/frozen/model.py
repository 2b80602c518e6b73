"""The manifest of a frozen version as plain data, with its JSON form. No calls here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from sluice.errors import ContractError

FORMAT = 1  # of the manifest
ID_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One table at one snapshot that the SELECT reads.

    `contract` is the version of the curated table's contract, empty for a mart. `definition` is the digest of a mart.
    `reads` holds the tables that a mart's rows were made of, as far as the catalog still tells.
    """

    table: str
    uuid: str
    snapshot: int
    committed: str  # ISO 8601, UTC
    contract: str = ""
    definition: str = ""
    fence: int = 0
    reads: tuple[Pin, ...] = ()

    def flat(self) -> tuple[Pin, ...]:
        """Return this pin and those below it."""
        return (self, *(inner for pin in self.reads for inner in pin.flat()))


@dataclass(frozen=True, kw_only=True)
class Origin:
    """An object version of the raw zone with rows in a pinned table. `rows` counts them."""

    table: str
    key: str
    version_id: str
    contract: str
    run: str  # one of the runs that published rows of it; its claim holds the compiled contract
    rows: int


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One Parquet file of a frozen version. `key` is its place in the lake bucket."""

    key: str
    size: int
    rows: int
    sha256: str
    md5: str
    etag: str = ""
    version_id: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnFigures:
    """What a column holds: a digest of its values without their order, and figures for people and drift checks.

    `least` and `greatest` are texts. `distinct` is exact, and None where counting it would have been too expensive.
    """

    name: str
    type: str  # as Athena names it
    digest: str
    nulls: int
    distinct: int | None
    least: str | None
    greatest: str | None


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The manifest of one frozen version."""

    name: str
    id: str
    inputs: str  # digest of definition, pins and code: the same inputs are frozen once
    digest: str  # of the rows, without their order
    rows: int
    columns: tuple[ColumnFigures, ...]
    files: tuple[DataFile, ...]
    pins: tuple[Pin, ...]
    origins: tuple[Origin, ...]
    statement: str  # the SELECT with its tables pinned, as Athena ran it
    definition: dict[str, Any]  # the compiled set
    definition_digest: str
    key: tuple[str, ...]
    code: str
    created: str  # ISO 8601, UTC
    by: str
    as_of: str = ""
    entity: str | None = None
    label: str | None = None
    time: str | None = None
    split: dict[str, int] = field(default_factory=dict)  # rows on each side
    scanned_bytes: int = 0
    algorithm: str = ""
    format: int = FORMAT

    @property
    def uri(self) -> str:
        """Return how other tools name this version: `sluice://delays@0123456789abcdef`."""
        return f"sluice://{self.name}@{self.id}"

    @property
    def bytes(self) -> int:
        """Return the size of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        """Write canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Frozen:
        """Read a manifest. Raises ContractError where a newer Sluice wrote it."""
        if int(data.get("format", 0)) > FORMAT:
            raise ContractError(
                f"the manifest has format {data['format']}, this Sluice reads up to {FORMAT}",
                file=f"frozen/{data.get('name')}/{data.get('id')}",
                remedy="install the newer release",
            )
        return cls(
            **{
                **data,
                "columns": tuple(ColumnFigures(**column) for column in data["columns"]),
                "files": tuple(DataFile(**file) for file in data["files"]),
                "pins": tuple(map(_pin, data["pins"])),
                "origins": tuple(Origin(**origin) for origin in data["origins"]),
                "key": tuple(data["key"]),
            }
        )


def _pin(data: dict[str, Any]) -> Pin:
    return Pin(**{**data, "reads": tuple(map(_pin, data["reads"]))})


def inputs_digest(*, definition: str, pins: tuple[Pin, ...], code: str) -> str:
    """Return 64 hex digits for what the rows are a function of: definition, snapshots and code."""
    pinned = sorted((pin.table, pin.uuid, pin.snapshot) for pin in pins)
    return _digest({"format": FORMAT, "definition": definition, "pins": pinned, "code": code})


def version_id(*, inputs: str, digest: str) -> str:
    """Return the id of a version: 16 hex digits over its inputs and its rows. Neither time nor file bytes enter."""
    return _digest({"inputs": inputs, "digest": digest})[:ID_DIGITS]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
