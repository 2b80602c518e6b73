"""Publish: what the groups have made becomes visible, first the rejects, then the curated rows.

How a table changes exactly once is `sluice.lake.publish`; here is what changes: which groups are in, which rows go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from sluice.lake import edits
from sluice.lake.publish import Edit, Published, Publisher
from sluice.lake.publish import publish as publish_table
from sluice.stages.holding import held_back
from sluice.stages.manifest import Claim, ClaimedLoad, Decision, GroupResult, Publication
from sluice.stages.run_folder import RunFolder

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table


@dataclass(frozen=True, kw_only=True)
class Rewriting:
    """How rows of existing files are touched: the kernel, wired to the lake by `rewrite.py`."""

    drop_rejects: edits.Drop
    drop_rows: edits.Drop
    merge: edits.Merge


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The loads and files that a decision lets in."""

    claim: Claim
    loads: tuple[ClaimedLoad, ...]  # put or retract
    held: tuple[str, ...]  # of these, the loads of which only the rejects may be published
    forgotten: tuple[str, ...]  # loads that are none of `loads`, of which the rejects are to tell no more
    refused: frozenset[str]  # the held ones and those that cannot be read: the tables go on showing what they showed
    data: tuple[str, ...]
    rejects: tuple[str, ...]

    @property
    def stale_keys(self) -> tuple[str, ...]:
        """Keys of which the table may hold rows that these loads replace."""
        return tuple(sorted({load.key for load in self.shown if not load.fresh}))

    @property
    def shown(self) -> tuple[ClaimedLoad, ...]:
        """The loads that change what the curated table shows."""
        return tuple(load for load in self.loads if load.load_id not in self.refused)

    @property
    def told_again(self) -> tuple[str, ...]:
        """Refused loads of which the rejects may tell already."""
        return tuple(sorted(load.load_id for load in self.loads if load.load_id in self.refused and not load.fresh))

    @property
    def falls_back(self) -> bool:
        """Whether an object was refused in a rebuild, and an older one is to be shown in its place."""
        return any(load_id in self.refused for load_id in self.claim.fallback)

    @property
    def stale_loads(self) -> tuple[str, ...]:
        """Loads that an earlier run may have published already."""
        return tuple(sorted(load.load_id for load in self.loads if not load.fresh))

    @property
    def newest_order(self) -> str | None:
        """Age of the newest object that is shown; None without one."""
        return max((load.order for load in self.shown), default=None)


def publish(
    folder: RunFolder,
    *,
    catalog: GlueCatalog,
    database: str,
    rewriting_for: Callable[[Claim], Rewriting],
    sleep: Callable[[float], None],
) -> Publication:
    """Decide which groups are in and publish them; repeating it changes nothing.

    Raises StaleRunError if a newer run has published, TransientError if a table could not be changed.
    """
    if (done := folder.publication()) is not None:
        return done
    claim = folder.must_claim()
    decision = _decided(folder, claim)
    batch = batch_of(claim, _results(folder, decision))
    # A rebuild is all or nothing: what a failed group holds back would be missing afterwards.
    if not (batch.loads or batch.forgotten) or (claim.generation and (decision.failed or batch.falls_back)):
        return folder.write_publication(Publication(snapshots={}, changed=False))
    rewriting = rewriting_for(claim)
    if batch.held:
        kept = rewriting.drop_rows(batch.data, "_sluice_load", batch.held)
        stay = tuple(uri for uri in batch.data if uri not in kept.remove)
        batch = replace(batch, data=(*stay, *kept.add))
    publisher = Publisher(dataset=claim.dataset, run_id=claim.run_id, fence=claim.fence)

    def apply(name: str, plan: Callable[[Table], Edit]) -> Published:
        return publish_table(catalog, (database, name), publisher=publisher, plan=plan, sleep=sleep)

    # Rejects first: a run that dies in between is repeated by the next one, which replaces them.
    published = {
        claim.plan.rejects_table: apply(claim.plan.rejects_table, lambda table: rejects_edit(table, batch, rewriting)),
        claim.plan.dataset: apply(claim.plan.dataset, lambda table: curated_edit(table, batch, rewriting)),
    }
    return folder.write_publication(
        Publication(
            snapshots={name: table.snapshot_id for name, table in published.items() if table.snapshot_id is not None},
            # Who finds the table changed already cannot know by how much.
            changed=any(table.edit is None or not table.edit.is_empty for table in published.values()),
            attempts=sum(table.attempts for table in published.values()),
        )
    )


def batch_of(claim: Claim, results: Sequence[GroupResult]) -> Batch:
    """Collect the loads and files of the groups that are in. Retractions need no group."""
    read = {summary.load_id: summary for result in results for summary in result.loads}
    held = tuple(load_id for load_id, summary in read.items() if held_back(summary, claim.plan))
    return Batch(
        claim=claim,
        loads=tuple(load for load in claim.loads if load.action == "retract" or load.load_id in read),
        held=held,
        forgotten=tuple(sorted(load.load_id for load in claim.loads if load.action == "forget")),
        refused=frozenset((*held, *(load_id for load_id, summary in read.items() if summary.refused))),
        data=tuple(file.uri for result in results for file in result.files if file.kind == "data"),
        rejects=tuple(file.uri for result in results for file in result.files if file.kind == "rejects"),
    )


def curated_edit(table: Table, batch: Batch, rewriting: Rewriting) -> Edit:
    """Plan what the batch does to the curated table."""
    plan = batch.claim.plan
    if batch.claim.generation:
        return edits.rebuild(
            table,
            add=batch.data,
            generation=batch.claim.generation,
            order=batch.newest_order if plan.mode == "replace" else None,
            merge_files=rewriting.merge if plan.mode == "merge" else None,
        )
    match plan.mode:
        case "append":
            return edits.append(
                table, add=batch.data, column="_sluice_object", stale=batch.stale_keys, drop=rewriting.drop_rows
            )
        case "merge":
            return edits.merge(
                table, add=batch.data, keys=plan.primary_key, lone=len(batch.loads) == 1, merge_files=rewriting.merge
            )
        case "replace":
            return edits.replace(table, add=batch.data, order=batch.newest_order, gone=batch.claim.gone)
        case _:
            assert_never(plan.mode)


def rejects_edit(table: Table, batch: Batch, rewriting: Rewriting) -> Edit:
    """Plan what the batch does to the rejects: they follow the versions that count for the curated table."""
    claim = batch.claim
    if claim.generation:
        order = batch.newest_order if claim.plan.mode == "replace" else None
        return edits.rebuild(table, add=batch.rejects, generation=claim.generation, order=order, merge_files=None)
    match claim.plan.mode:
        case "append":
            return edits.append_rejects(
                table,
                add=batch.rejects,
                stale=batch.stale_keys,
                again=(*batch.told_again, *batch.forgotten),
                spared=claim.refused,
                drop=rewriting.drop_rejects,
            )
        case "merge":
            return edits.append(
                table, add=batch.rejects, column="load_id", stale=batch.stale_loads, drop=rewriting.drop_rejects
            )
        case "replace":
            if batch.newest_order is None:
                orders = [load.order for load in batch.loads]
                return edits.refuse(
                    table,
                    add=batch.rejects,
                    orders=orders,
                    again=batch.told_again,
                    forgotten=batch.forgotten,
                    gone=claim.gone,
                    drop=rewriting.drop_rejects,
                )
            return edits.replace_rejects(
                table,
                add=batch.rejects,
                order=batch.newest_order,
                gone=claim.gone,
                spared=claim.refused,
                drop=rewriting.drop_rejects,
            )
        case _:
            assert_never(claim.plan.mode)


def _decided(folder: RunFolder, claim: Claim) -> Decision:
    if (decision := folder.decision()) is None:
        found = {group.index: folder.group(group.index) for group in claim.groups}
        decision = folder.write_decision(
            Decision(
                groups=tuple(index for index, result in found.items() if result is not None),
                failed=tuple(index for index, result in found.items() if result is None),
            )
        )
    return decision


def _results(folder: RunFolder, decision: Decision) -> Sequence[GroupResult]:
    results = [folder.group(index) for index in decision.groups]
    return [result for result in results if result is not None]
