"""Ingest: S3's events become loads in the ledger, and the datasets that they belong to are woken.

An event is a hint that something happened to a key; what it means is decided when a run looks into the bucket
(`claim.py`). Events may be repeated, reordered or, within what the reconciler repairs, missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from sluice import metrics
from sluice.contract.keys import is_hidden, passed_over
from sluice.contract.plan import Plan
from sluice.errors import DataError, SluiceError
from sluice.ledger.model import Kind, Load, load_id
from sluice.ledger.table import Ledger
from sluice.metrics import Metric


@dataclass(frozen=True, kw_only=True)
class ObjectEvent:
    """What S3 said of one version of one key. `kind` is None where it tells of a version deleted for good."""

    bucket: str
    key: str
    version_id: str
    size: int
    kind: Kind | None

    @property
    def dataset(self) -> str:
        """The dataset that the key belongs to: its first folder."""
        return self.key.partition("/")[0]


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What became of a batch of messages. `failed` are message ids to be delivered again."""

    failed: tuple[str, ...]
    registered: int
    known: int
    unknown: tuple[str, ...]  # keys that belong to no dataset
    passed_over: tuple[str, ...]  # keys that are no data
    malformed: tuple[tuple[str, str], ...]  # message id and what is wrong
    errors: tuple[str, ...]  # why datasets could not be registered or woken
    loads: tuple[Load, ...] = ()  # that were registered

    def figures(self) -> Mapping[Metric, float]:
        """What has to be told of it."""
        return {
            metrics.LOADS_REGISTERED: self.registered,
            metrics.UNKNOWN_KEYS: len(self.unknown),
            metrics.KEYS_PASSED_OVER: len(self.passed_over),
            metrics.MALFORMED_EVENTS: len(self.malformed),
        }


def ingest(
    messages: Sequence[tuple[str, str]],
    *,
    ledger: Ledger,
    plans: Mapping[str, Plan],
    raw_bucket: str,
    account: str,
    wake: Callable[[str], object],
    now: datetime,
) -> Ingested:
    """Register the loads of (message id, body) pairs, then wake each dataset that has something to do.

    One bad message fails alone. What fails transiently fails the messages of that dataset.
    """
    wanted: list[tuple[str, Load]] = []
    malformed: list[tuple[str, str]] = []
    unknown: list[str] = []
    passed: list[str] = []
    waiting: dict[str, list[str]] = {}
    for message_id, body in messages:
        try:
            event = parse_event(body, raw_bucket=raw_bucket, account=account)
        except DataError as error:
            malformed.append((message_id, str(error)))
            continue
        belongs = _belongs(event, plans)
        if belongs != "data":
            (passed if belongs == "passed over" else unknown).append(event.key)
        elif event.kind is not None:
            wanted.append((message_id, to_load(event, now=now)))
    wanted, new, refused = _register(wanted, ledger)
    failed = [message_id for message_id, _ in malformed] + [message_id for ids, _ in refused for message_id in ids]
    errors = [error for _, error in refused]
    registered = {load.load_id: load for _, load in wanted if load.load_id in new}
    for message_id, load in wanted:
        if load.load_id not in new:
            # An earlier delivery may have registered the load and died before it woke the dataset.
            earlier = ledger.find(load.dataset, load.load_id)
            if earlier is not None and earlier.state != "PENDING":
                continue
        waiting.setdefault(load.dataset, []).append(message_id)
    for dataset, message_ids in waiting.items():
        try:
            wake(dataset)
        except (SluiceError, ClientError, BotoCoreError) as error:
            failed += message_ids
            errors.append(f"dataset {dataset}: {error}")
    return Ingested(
        failed=tuple(failed),
        registered=len(registered),
        known=len(wanted) - len(registered),
        unknown=tuple(unknown),
        passed_over=tuple(passed),
        malformed=tuple(malformed),
        errors=tuple(errors),
        loads=tuple(registered.values()),
    )


def _register(
    wanted: Sequence[tuple[str, Load]], ledger: Ledger
) -> tuple[list[tuple[str, Load]], frozenset[str], Sequence[tuple[Sequence[str], str]]]:
    """Register the loads of each dataset by itself: one whose part of the ledger is full holds no other back.

    Returns:
        What was registered or known before, the ids of new loads, and (message ids, error) of each dataset that failed.
    """
    done: list[tuple[str, Load]] = []
    new: set[str] = set()
    refused: list[tuple[Sequence[str], str]] = []
    for dataset in dict.fromkeys(load.dataset for _, load in wanted):
        mine = [(message_id, load) for message_id, load in wanted if load.dataset == dataset]
        try:
            new |= ledger.register_all([load for _, load in mine])
        except (SluiceError, ClientError, BotoCoreError) as error:
            refused.append(([message_id for message_id, _ in mine], f"dataset {dataset}: {error}"))
        else:
            done += mine
    return done, frozenset(new), refused


def parse_event(body: str, *, raw_bucket: str, account: str) -> ObjectEvent:
    """Read an EventBridge event of S3. Raises DataError where it is not one, or not of our bucket in our account.

    Whether the version exists is not asked here: the run lists the key's versions, and an event of one that is not
    there changes no table.
    """
    try:
        event = json.loads(body)
        detail = event["detail"]
        item = detail["object"]
        sender = str(event["source"]), str(event["account"])
        found = ObjectEvent(
            bucket=str(detail["bucket"]["name"]),
            key=str(item["key"]),
            version_id=str(item["version-id"]),
            size=int(item.get("size", 0)),
            kind=_kind(event["detail-type"], detail),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Its type only: the message of a KeyError or ValueError may quote what somebody sent.
        raise DataError(f"not an S3 event: {type(error).__name__}", dataset="?", rule="event") from error
    if found.bucket != raw_bucket:
        raise DataError(f"an event of bucket {found.bucket!a}", dataset="?", rule="event", object_key=found.key)
    if sender != ("aws.s3", account):  # S3 speaks for the account that owns the bucket; a bucket's name is no secret
        raise DataError(
            f"an event of {sender[0]!a} in account {sender[1]!a}", dataset="?", rule="event", object_key=found.key
        )
    return found


def _belongs(event: ObjectEvent, plans: Mapping[str, Plan]) -> Literal["data", "passed over", "unknown"]:
    """Tell whether the key is a file of a dataset, of none, or no data at all."""
    plan = plans.get(event.dataset)
    if plan is None or "/" not in event.key:
        return "passed over" if is_hidden(event.key) else "unknown"
    size = event.size if event.kind == "put" else None
    return "data" if passed_over(plan, event.key, size=size) is None else "passed over"


def to_load(event: ObjectEvent, *, now: datetime) -> Load:
    """Return the load that an event of an object version or a delete marker asks for."""
    return Load(
        load_id=load_id(event.bucket, event.key, event.version_id),
        dataset=event.dataset,
        key=event.key,
        version_id=event.version_id,
        kind=event.kind or "put",
        size=event.size,
        registered=now.isoformat(timespec="milliseconds"),
    )


def _kind(detail_type: str, detail: Mapping[str, Any]) -> Kind | None:
    match detail_type, detail.get("deletion-type", "Delete Marker Created"):
        case "Object Created", _:
            return "put"
        case "Object Deleted", "Delete Marker Created":
            return "delete"
        case "Object Deleted", "Permanently Deleted":
            return None  # which version counts now, the reconciler finds out
    raise ValueError(f"unexpected event {detail_type!r}")
