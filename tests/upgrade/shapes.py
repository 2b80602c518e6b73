"""The members of each state that outlives a deployment: `python -m tests.upgrade.shapes > release-<version>.json`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from sluice.contract import plan
from sluice.kernel import outcome
from sluice.lake import marks
from sluice.ledger import model
from sluice.prices import Usage
from sluice.stages import manifest

_CLASSES: Mapping[str, Sequence[type]] = {
    "plan": (
        plan.Plan, plan.Reading, plan.Column, plan.Rule, plan.Unique, plan.ObjectCheck, plan.Relationship,
        plan.PartitionField,
    ),
    "run": (
        manifest.Claim, manifest.ClaimedLoad, manifest.Group, manifest.StoredFile, manifest.GroupResult,
        manifest.Decision, manifest.Publication, outcome.LoadSummary, outcome.RejectCount, outcome.Measure, Usage,
    ),
    "ledger": (model.Load, model.Run, model.Lease, model.ObjectState, model.Counts, Usage),
}  # fmt: skip


def shapes() -> dict[str, dict[str, list[str]]]:
    """Return, for each kind of state, its classes and the names of their members."""
    found = {
        state: {kind.__name__: sorted(field.name for field in dataclasses.fields(kind)) for kind in kinds}
        for state, kinds in _CLASSES.items()
    }
    words = (marks.FENCE, marks.RUN, marks.SNAPSHOT, marks.ORDER, marks.GENERATION)
    return {**found, "table": {"properties": sorted(words)}}


if __name__ == "__main__":
    print(json.dumps(shapes(), indent=1))
