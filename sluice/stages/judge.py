"""What a run does with a pending load, given what the bucket holds now. Pure: the heart of claim and of reconcile.

The bucket decides, not the order of events. A table is a function of the versions that count: for `append` the newest
version of each key that can be published, for `merge` every version, for `replace` the newest of all that can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import assert_never

from sluice.contract.keys import passed_over
from sluice.contract.plan import Plan
from sluice.lake.versions import KeyHistory, Version
from sluice.ledger.model import Load
from sluice.stages.manifest import Action, ClaimedLoad, Group

MOST_GROUPS = 200  # keeps the state machine's payload and its history small
GLUE_GROUP_BYTES = 200 << 30  # compressed, of one job run: what its workers' disks take while they shuffle
_GLUE_GROUP_OBJECTS = 1000
_RESERVED = 4  # one of so many groups is for loads that failed before, the others for those that did not
_SUSPICIOUS = 2  # attempts after which a load no longer runs together with others
_TURN = 4  # every so many runs it is the suspicious loads' turn


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which pending loads a run takes, and which have failed too often."""

    taken: tuple[Load, ...]
    exhausted: tuple[Load, ...]


def choose(waiting: Sequence[Load], *, fence: int, limit: int, max_attempts: int, together: bool = False) -> Choice:
    """Choose the loads of a run, at most `limit`; `together` takes all that have not failed too often.

    Loads that were in several failed runs stay apart from the others, and the fewer together the more often they
    failed, so that one poisonous object ends up alone. Both kinds get their turns.
    """
    exhausted = tuple(load for load in waiting if load.attempts >= max_attempts)
    if together:
        return Choice(taken=tuple(load for load in waiting if load.attempts < max_attempts), exhausted=exhausted)
    healthy = [load for load in waiting if load.attempts < _SUSPICIOUS]
    suspicious = [load for load in waiting if _SUSPICIOUS <= load.attempts < max_attempts]
    if suspicious and (not healthy or fence % _TURN == 0):
        most = max(load.attempts for load in suspicious)
        few = max(1, limit // 10 ** (most - 1))
        return Choice(taken=tuple(load for load in suspicious if load.attempts == most)[:few], exhausted=exhausted)
    return Choice(taken=tuple(healthy[:limit]), exhausted=exhausted)


def of_data(plan: Plan, histories: Iterable[KeyHistory]) -> Iterator[KeyHistory]:
    """Leave out what is no file of the dataset: keys that are passed over, and empty markers among their versions."""
    for history in histories:
        if all(version.is_marker or version.size for version in history.versions):  # most keys: judge the name alone
            if passed_over(plan, history.key) is None:
                yield history
            continue
        versions = tuple(
            version
            for version in history.versions
            if passed_over(plan, history.key, size=None if version.is_marker else version.size) is None
        )
        if any(not version.is_marker for version in versions):
            yield replace(history, versions=versions)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """What a dataset's tables are a function of.

    `shown` are the versions and delete markers that the curated table shows. `refused` are versions that cannot be
    published (unreadable, or held back) and are newer than what is shown in their place: only the rejects tell of them.
    """

    shown: tuple[Version, ...]
    refused: tuple[Version, ...] = ()


def weigh(plan: Plan, histories: Iterable[KeyHistory], is_refused: Callable[[Version], bool]) -> Counting:
    """Find the versions that count: the newest that can be published, of each key or of all; in `merge` every one.

    `is_refused` tells of a version whether it is known that it cannot be published. It is a function of its bytes and
    the contract; the ledger only remembers it. What is not known yet counts, and is found out by the run.
    """
    match plan.mode:
        case "merge":
            return Counting(shown=tuple(v for history in histories for v in history.versions if not v.is_marker))
        case "replace":
            versions = [version for history in histories for version in history.versions if not version.is_marker]
            return _newest(sorted(versions, key=lambda version: version.order, reverse=True), plan, is_refused)
        case "append":
            found = [_newest(tuple(reversed(history.versions)), plan, is_refused) for history in histories]
            return Counting(
                shown=tuple(version for one in found for version in one.shown),
                refused=tuple(version for one in found for version in one.refused),
            )
        case _:
            assert_never(plan.mode)


def _newest(newest_first: Sequence[Version], plan: Plan, is_refused: Callable[[Version], bool]) -> Counting:
    refused: list[Version] = []
    for version in newest_first:
        if version.is_marker:
            if plan.on_delete == "retract":
                return Counting(shown=(version,), refused=tuple(refused))
        elif is_refused(version):
            refused.append(version)
        else:
            return Counting(shown=(version,), refused=tuple(refused))
    return Counting(shown=(), refused=tuple(refused))


def judge(
    load: Load,
    *,
    plan: Plan,
    found: Version | None,
    counts: bool,
    loads_of_key: int | None,
    is_replaced: bool = True,
) -> ClaimedLoad:
    """Decide what to do with a load. `found` is its version in the bucket, `counts` whether the table shows it.

    `loads_of_key` is the number of loads ever opened for the key, None where that is not known for sure.
    `is_replaced` says that where this version does not count, another one does: if none does, rows that the table may
    have of it must go, because the version was deleted for good.
    """
    fresh = plan.mode != "replace" and load.attempts == 0 and loads_of_key == 1
    action: Action = "skip"
    if found is not None and counts:
        action = "retract" if found.is_marker else "put"
    elif found is None and not fresh and plan.mode != "merge":
        action = "forget" if is_replaced else "retract"
    return ClaimedLoad(
        load_id=load.load_id,
        key=load.key,
        version_id=load.version_id,
        kind=load.kind,
        generation=load.generation,
        size=found.size if found is not None else load.size,
        registered=load.registered,
        attempts=load.attempts,
        action=action,
        order=found.order if found is not None else "",
        fresh=fresh,
    )


def pack(
    loads: Sequence[ClaimedLoad], *, lambda_max_bytes: int, group_max_bytes: int, group_max_objects: int
) -> tuple[Group, ...]:
    """Pack the loads to be read into groups: large objects for Glue, the others for Lambda, oldest first.

    Loads that failed before go together with others that failed as often, a tenth as many in a group for each failure:
    an object that kills its worker is alone before it is given up (four failures), and an outage that failed
    everything costs one run, not one for each load. They leave places for loads that have not failed. What does not
    fit into the most groups of a run is in none.
    """
    wanted = sorted((load for load in loads if load.action == "put"), key=lambda load: load.order)
    small = [load for load in wanted if load.size <= lambda_max_bytes]
    large = [load for load in wanted if load.size > lambda_max_bytes]
    spark = _packs(large, most_bytes=GLUE_GROUP_BYTES, most_objects=_GLUE_GROUP_OBJECTS)[: MOST_GROUPS // _RESERVED]
    bounds = {"most_bytes": group_max_bytes, "most_objects": group_max_objects}
    fresh = _packs([load for load in small if load.attempts == 0], **bounds)
    again = _packs([load for load in small if load.attempts > 0], **bounds)
    room = MOST_GROUPS - len(spark)
    again = again[: max(room - len(fresh), room // _RESERVED)]
    fresh = fresh[: room - len(again)]
    groups: list[Group] = []
    for engine, packs in (("lambda", (*fresh, *again)), ("glue", spark)):
        for one in packs:
            ids = tuple(load.load_id for load in one)
            groups.append(Group(index=len(groups), engine=engine, loads=ids))  # type: ignore[arg-type]
    return tuple(groups)


def _packs(loads: Sequence[ClaimedLoad], *, most_bytes: int, most_objects: int) -> list[list[ClaimedLoad]]:
    """Cut loads into packs of one number of attempts each, those that failed less often first."""
    packs: list[list[ClaimedLoad]] = []
    for attempts, same in groupby(sorted(loads, key=lambda load: load.attempts), key=lambda load: load.attempts):
        most = max(1, most_objects // 10**attempts)
        used = room = 0
        for load in same:
            if room == 0 or used + load.size > most_bytes:
                packs.append([])
                room, used = most, 0
            packs[-1].append(load)
            room, used = room - 1, used + load.size
    return packs
