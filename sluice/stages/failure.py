"""Why a group of a run failed, in one line, kept in the run's folder until settle writes it into the run's record.

The state machine drops what a group failed with: a Map gathers the ends of all groups in 256 KiB. A worker that is
killed for its time or memory leaves no line; the record then says that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from botocore.exceptions import BotoCoreError, ClientError

from sluice.errors import SluiceError
from sluice.stages.run_folder import RunFolder

_LONGEST = 600
_MOST = 3  # groups that are asked; all others usually failed for the same reason
_KILLED = "a worker left no reason: it ran out of time or memory, or never began (docs/runbooks/run-failed.md)"


@contextmanager
def noted(folder: RunFolder, group: int) -> Iterator[None]:
    """Leave why the block failed in the run's folder, and let it fail."""
    try:
        yield
    except Exception as error:
        with suppress(ClientError, BotoCoreError):  # saying so must not hide why
            folder.write_failure(group, said(error))
        raise


def said(error: Exception) -> str:
    """Say what went wrong in one line that holds no value of a row: the engine's own messages quote them."""
    match error:
        case SluiceError() | ClientError() | BotoCoreError():
            text = f"{type(error).__name__}: {error}"
        case _:
            text = f"{type(error).__name__} (its message may quote rows: see the log of the stage)"
    return " ".join(text.split())[:_LONGEST]


def causes(folder: RunFolder, failed: Sequence[int]) -> str | None:
    """Say why groups failed, each reason once; None if none did."""
    if not failed:
        return None
    reasons = dict.fromkeys(folder.failure(group) or _KILLED for group in failed[:_MOST])
    more = f" (and {len(failed) - _MOST} groups more)" if len(failed) > _MOST else ""
    return "; ".join(reasons) + more
