"""Gap (moto 5.2.5): a Glue job run does nothing and says SUCCEEDED after being asked for a while.

With this seam a started run is handed to `sluice.local.workers`, and shows its true state, duration and error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.glue.models import FakeJob, FakeJobRun

from sluice.local.seams.patch import replace

Start = Callable[[Any, Any], None]  # moto's job and run; sets `run.status` to what becomes of it


def install(start: Start) -> None:
    """Hand each new run to `start`, which returns at once."""
    replace(FakeJob, "start_job_run", lambda original: _started_by(original, start))
    replace(FakeJobRun, "as_dict", _with_outcome)


def _started_by(start_job_run: Any, start: Start) -> Any:
    def begin(self: Any, *args: Any, **kwargs: Any) -> Any:
        run_id = start_job_run(self, *args, **kwargs)
        run = next(run for run in reversed(self.job_runs) if run.job_run_id == run_id)
        run._transitions = [("RUNNING", "RUNNING")]  # noqa: SLF001  (its state is ours to set now)
        run.status = "RUNNING"
        start(self, run)
        return run_id

    return begin


def _with_outcome(as_dict: Any) -> Any:
    def with_outcome(self: Any) -> Any:
        described = as_dict(self)
        described["ExecutionTime"] = round(getattr(self, "sluice_seconds", 0))
        if self.status == "RUNNING":
            described.pop("CompletedOn", None)
        if error := getattr(self, "sluice_error", ""):
            described["ErrorMessage"] = error
        return described

    return with_outcome
