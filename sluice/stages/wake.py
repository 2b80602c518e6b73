"""Starting the next run of a dataset. Whoever holds the lease is started, whoever took it: no wake-up is lost.

Callers must have written what the run is to find before they call: a run that has already looked gives its lease back
before it looks again (`settle.py`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from sluice.ledger.model import Lease
from sluice.ledger.table import Ledger

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def wake(
    dataset: str, *, ledger: Ledger, states: SFNClient, state_machine: str, now: datetime, lease_seconds: int
) -> Lease:
    """Take the dataset's lease, or read who holds it, and start that run. Idempotent by the run's name."""
    lease = ledger.acquire(dataset, now=int(now.timestamp()), seconds=lease_seconds)
    # A run of this name that has ended without giving the lease back is the reconciler's affair.
    with suppress(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=state_machine, name=lease.run_id or "", input=run_input(lease))
    return lease


def run_input(lease: Lease) -> str:
    """Return the input of a run's execution: the same text for the same run, or its name would not be idempotent."""
    run = {"dataset": lease.dataset, "fence": lease.fence, "run_id": lease.run_id}
    return json.dumps(run, sort_keys=True)
