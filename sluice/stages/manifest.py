"""What the steps of one run tell each other, as plain data with a JSON form. Where it is kept: `run_folder.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sluice.contract.plan import Plan
from sluice.kernel.outcome import LoadSummary, Measure, RejectCount
from sluice.ledger.model import Counts, Kind, Load

Engine = Literal["lambda", "glue"]
# put: the version's rows belong into the table. retract: the key's rows leave it. skip: the bucket has moved on.
# forget: the version was deleted for good and others are shown; only rejects may still tell of it.
Action = Literal["put", "retract", "skip", "forget"]


@dataclass(frozen=True, kw_only=True)
class ClaimedLoad:
    """One load as a run has claimed it, judged against the bucket.

    `fresh` proves that no other run can have published rows of its key. `order` is empty where the version is gone.
    """

    load_id: str
    key: str
    version_id: str
    kind: Kind
    generation: int
    size: int
    registered: str
    attempts: int
    action: Action
    order: str = ""
    fresh: bool = False

    def to_load(self, *, dataset: str, run_id: str) -> Load:
        """Return the ledger's form of this load."""
        return Load(
            load_id=self.load_id,
            dataset=dataset,
            key=self.key,
            version_id=self.version_id,
            kind=self.kind,
            generation=self.generation,
            size=self.size,
            registered=self.registered,
            attempts=self.attempts,
            run_id=run_id,
        )


@dataclass(frozen=True, kw_only=True)
class Group:
    """Loads that one worker transforms."""

    index: int
    engine: Engine
    loads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The intent of a run, fixed before anything is done: contract, tables' field ids, loads, groups.

    `held_until` is that of the lease under which it was written: a lease of the same fence that ends at another time
    was given by a ledger that had forgotten this run. `gone` is the order that a `replace` table shows, where its
    object was deleted for good. `generation` is above 0 where the run is a rebuild: the one that its tables will be of.
    """

    dataset: str
    fence: int
    run_id: str
    started: str
    plan: Plan
    curated_ids: Mapping[str, int]
    rejects_ids: Mapping[str, int]
    loads: tuple[ClaimedLoad, ...]
    groups: tuple[Group, ...]
    held_until: int = 0
    gone: str = ""
    generation: int = 0
    refused: tuple[str, ...] = ()  # loads that were refused and are newer than what is shown in their place
    fallback: tuple[str, ...] = ()  # of a rebuild: loads in whose place older versions are shown if they are refused
    over_budget: bool = False  # nothing was claimed: the dataset's money for this month is spent

    @property
    def is_empty(self) -> bool:
        """Whether no load changes a table."""
        return all(load.action == "skip" for load in self.loads)

    def loads_of(self, group: Group) -> tuple[ClaimedLoad, ...]:
        """Return the loads of one group."""
        wanted = frozenset(group.loads)
        return tuple(load for load in self.loads if load.load_id in wanted)

    def to_json(self) -> dict[str, Any]:
        """Return the claim as JSON data."""
        return {**asdict(self), "plan": json.loads(self.plan.to_json())}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Claim:
        """Build a claim from its JSON data."""
        return cls(
            **{
                **data,
                "plan": Plan.from_dict(data["plan"]),
                "loads": tuple(ClaimedLoad(**load) for load in data["loads"]),
                "fallback": tuple(data.get("fallback", ())),
                "refused": tuple(data.get("refused", ())),
                "groups": tuple(Group(**{**group, "loads": tuple(group["loads"])}) for group in data["groups"]),
            }
        )


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A Parquet file that a worker has put into the lake, not yet visible in any table."""

    uri: str
    kind: Literal["data", "rejects"]
    rows: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """What one worker made of its group. `vanished` are loads whose version was gone when it came to read it."""

    group: int
    engine: Engine
    files: tuple[StoredFile, ...]
    loads: tuple[LoadSummary, ...]
    vanished: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GroupResult:
        """Build a result from its JSON data."""
        return cls(
            **{
                **data,
                "files": tuple(StoredFile(**file) for file in data["files"]),
                "loads": tuple(_summary(load) for load in data["loads"]),
                "vanished": tuple(data["vanished"]),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which groups are in, fixed before the first table changes; `failed` ones came to nothing in time."""

    groups: tuple[int, ...]
    failed: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the decision as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Decision:
        """Build a decision from its JSON data."""
        return cls(groups=tuple(data["groups"]), failed=tuple(data["failed"]))


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where the tables stand after publishing. `changed`: whether readers may see other rows than before.

    `attempts` is how often the tables were tried: one each, if nobody was in the way.
    """

    snapshots: Mapping[str, int]
    changed: bool
    attempts: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the publication as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Publication:
        """Build a publication from its JSON data."""
        return cls(**data)


def counts_of(summary: LoadSummary) -> Counts:
    """Return the ledger's form of a load's account."""
    return Counts(
        rows_read=summary.rows_read,
        rows_accepted=summary.rows_accepted,
        rows_rejected=summary.rows_rejected,
        rows_superseded=summary.rows_superseded,
    )


def _summary(data: Mapping[str, Any]) -> LoadSummary:
    tallies = {name: tuple(RejectCount(**count) for count in data[name]) for name in ("rejects", "warnings", "stops")}
    measures = tuple(Measure(**measure) for measure in data.get("measures", ()))
    return LoadSummary(**{**data, **tallies, "measures": measures})
