"""How the ledger's records are written as DynamoDB items, and read back. No calls here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from sluice.ledger.model import Counts, Lease, Load, MartState, ObjectState, Run, object_id
from sluice.prices import Usage
from sluice.state import KEY, checked, stamped

Item = dict[str, Any]

SEEN = "seen_"  # before a dataset: the fence that a mart has answered
_CALL = "call "  # before the name of a counted call


def partition(dataset: str) -> str:
    """Partition key of everything about one dataset."""
    return f"dataset#{dataset}"


def load_key(load: Load) -> Item:
    """Key of a load's record."""
    return {"pk": partition(load.dataset), "sk": f"load#{load.load_id}"}


def pending_key(load: Load) -> Item:
    """Key of the entry that says that a load waits for a run."""
    return {"pk": partition(load.dataset), "sk": f"pending#{load.load_id}"}


def object_key(dataset: str, key: str) -> Item:
    """Key of what is known of one key of the raw zone."""
    return {"pk": partition(dataset), "sk": f"object#{object_id(key)}"}


def lease_key(dataset: str) -> Item:
    """Key of a dataset's lease."""
    return {"pk": partition(dataset), "sk": "lease"}


def run_key(dataset: str, fence: int) -> Item:
    """Key of a run's record; runs sort by fence."""
    return {"pk": partition(dataset), "sk": f"run#{fence:010d}"}


def spending_key(name: str, month: str) -> Item:
    """Key of what a stage or a mart has consumed in a month."""
    return {"pk": f"spending#{name}", "sk": f"month#{month}"}


def mart_key(mart: str) -> Item:
    """Key of what became of a mart's last refresh."""
    return {"pk": f"mart#{mart}", "sk": "state"}


def to_mart(mart: str, item: Mapping[str, Any]) -> MartState:
    """Read what became of a mart's last refresh from its item."""
    return MartState(
        mart=mart,
        outcome=item["outcome"],
        told=item["told"],
        reason=item.get("reason", ""),
        fresh=item.get("fresh"),
        failing=item.get("failing"),
        seen={name.removeprefix(SEEN): int(fence) for name, fence in item.items() if name.startswith(SEEN)},
    )


def from_record(record: Load | Run) -> Item:
    """Attributes of a load or run: counts side by side with the rest, absent values left out."""
    item: Item = stamped("ledger", {})
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Counts):
            item.update(vars(value))
        elif isinstance(value, Usage):
            item[field.name] = from_usage(value)
        elif isinstance(value, float):
            item[field.name] = Decimal(str(round(value, 6)))
        elif field.name == "snapshots":
            item[field.name] = dict(value)
        elif isinstance(value, tuple):
            item[field.name] = list(value)
        elif value is not None:
            item[field.name] = value
    return item


def to_load(item: Mapping[str, Any]) -> Load:
    """Read a load, from its own item or from its pending entry. Raises NewerStateError."""
    _must_know(item)
    return Load(
        load_id=item["load_id"],
        dataset=item["dataset"],
        key=item["key"],
        version_id=item["version_id"],
        kind=item["kind"],
        generation=int(item["generation"]),
        size=int(item["size"]),
        registered=item["registered"],
        state=item["state"],
        attempts=int(item["attempts"]),
        run_id=item.get("run_id"),
        settled=item.get("settled"),
        contract=item.get("contract"),
        reason=item.get("reason"),
        counts=_counts(item),
    )


def to_run(item: Mapping[str, Any]) -> Run:
    """Read a run from its item. Raises NewerStateError."""
    _must_know(item)
    return Run(
        dataset=item["dataset"],
        fence=int(item["fence"]),
        run_id=item["run_id"],
        state=item["state"],
        started=item["started"],
        finished=item.get("finished"),
        seconds=float(item["seconds"]),
        engines=tuple(item["engines"]),
        groups=int(item["groups"]),
        failed_groups=int(item["failed_groups"]),
        loads=int(item["loads"]),
        counts=_counts(item),
        snapshots=tuple(sorted((name, int(snapshot)) for name, snapshot in item["snapshots"].items())),
        error=item.get("error"),
        usage=to_usage(item.get("usage", {})),
        month_usd=float(item["month_usd"]) if "month_usd" in item else None,
    )


def to_object(item: Mapping[str, Any]) -> ObjectState:
    """Read what is known of one key from its item."""
    return ObjectState(
        key=item["key"],
        loads=int(item["loads"]),
        version_id=item.get("version_id"),
        order=item.get("object_order"),
        fence=int(item["fence"]) if "fence" in item else None,
    )


def to_lease(dataset: str, item: Mapping[str, Any] | None) -> Lease:
    """Read a lease from its item; a dataset that never ran has fence 0. Raises NewerStateError."""
    item = item or {}
    _must_know(item)
    return Lease(
        dataset=dataset,
        fence=int(item.get("fence", 0)),
        run_id=item.get("run_id"),
        until=int(item.get("held_until", 0)),
        restored=bool(item.get("restored", False)),
        generation=int(item.get("generation", 0)),
    )


def from_usage(usage: Usage) -> Item:
    """Attributes of what was consumed; DynamoDB keeps decimals, not floats."""
    return {
        name: Decimal(str(round(value, 6))) if isinstance(value, float) else value
        for name, value in vars(usage).items()
    }


def to_usage(item: Mapping[str, Any]) -> Usage:
    """Read what was consumed. Runs recorded before usage was measured read as zero usage."""
    return Usage(
        calls={name: int(count) for name, count in item.get("calls", {}).items()},
        requests=int(item.get("requests", 0)),
        gb_seconds=float(item.get("gb_seconds", 0)),
        transitions=int(item.get("transitions", 0)),
        dpu_seconds=float(item.get("dpu_seconds", 0)),
        bytes_scanned=int(item.get("bytes_scanned", 0)),
        events=int(item.get("events", 0)),
    )


def from_spending(usage: Usage) -> Item:
    """Attributes to add to a month's sum: numbers only, calls one by one."""
    numbers = from_usage(usage)
    calls = {f"{_CALL}{name}": count for name, count in numbers.pop("calls").items()}
    return {name: value for name, value in {**numbers, **calls}.items() if value}


def to_spending(item: Mapping[str, Any]) -> Usage:
    """Read a month's sum."""
    calls = {name.removeprefix(_CALL): value for name, value in item.items() if name.startswith(_CALL)}
    return to_usage({**item, "calls": calls})


def _must_know(item: Mapping[str, Any]) -> None:
    checked("ledger", item.get(KEY, 1), what=f"the ledger of {str(item.get('pk', '')).removeprefix('dataset#')}")


def _counts(item: Mapping[str, Any]) -> Counts:
    return Counts(**{field.name: int(item.get(field.name, 0)) for field in fields(Counts)})
