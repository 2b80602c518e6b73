"""What a run does with a pending load, given what the bucket holds now. Pure: the heart of claim and of reconcile.

The bucket decides, not the order of events. A table is a function of the versions that count: for `append` the newest
version of each key, for `merge` every version, for `replace` the newest version of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from sluice.contract.keys import passed_over
from sluice.contract.plan import Plan
from sluice.lake.versions import KeyHistory, Version
from sluice.ledger.model import Load
from sluice.stages.manifest import Action, ClaimedLoad, Group

MOST_GROUPS = 200  # keeps the state machine's payload and its history small
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


def counting_versions(plan: Plan, histories: Iterable[KeyHistory]) -> Sequence[Version]:
    """List the versions and delete markers that the table is a function of."""
    if plan.mode == "merge":
        return [version for history in histories for version in history.versions if not version.is_marker]
    newest = [version for history in histories if (version := _desired(plan, history)) is not None]
    match plan.mode:
        case "append":
            return newest
        case "replace":
            return [max(newest, key=lambda version: version.order)] if newest else []
        case _:
            assert_never(plan.mode)


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
    elif found is None and not is_replaced and not fresh and plan.mode != "merge":
        action = "retract"
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
    """Pack the loads to be read into groups: one for Glue with all large objects, the others for Lambda, oldest first.

    A load that failed before gets a group of its own. What does not fit into the most groups of a run is in none.
    """
    wanted = sorted((load for load in loads if load.action == "put"), key=lambda load: load.order)
    large = [load.load_id for load in wanted if load.size > lambda_max_bytes]
    packs: list[list[str]] = []
    room = used = 0
    for load in (load for load in wanted if load.size <= lambda_max_bytes):
        if load.attempts > 0:
            packs.append([load.load_id])
            room = 0
            continue
        if room == 0 or used + load.size > group_max_bytes:
            packs.append([])
            room, used = group_max_objects, 0
        packs[-1].append(load.load_id)
        room, used = room - 1, used + load.size
    small = packs[: MOST_GROUPS - bool(large)]
    groups = [Group(index=at, engine="lambda", loads=tuple(pack)) for at, pack in enumerate(small)]
    if large:
        groups.append(Group(index=len(groups), engine="glue", loads=tuple(large)))
    return tuple(groups)


def _desired(plan: Plan, history: KeyHistory) -> Version | None:
    if plan.on_delete == "retract" and history.marker is not None:
        return history.marker
    return history.newest
