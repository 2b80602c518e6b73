"""What an environment tells its functions and its Spark job: one row each, with name, type and default.

Stacks set the values: `stacks.settings.Settings` has these rows too, so an `app.py` may change each. Entry points read
them (`sluice.stages.environment`, `glue_jobs/transform.py`). Both sides import this table; neither has names or
defaults of its own. To add a setting, add a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sluice.errors import ContractError

_LEASE_MARGIN = 900  # seconds that a run needs to end after its time limit


@dataclass(frozen=True, kw_only=True)
class RuntimeSettings:
    """One environment, as its code sees it. Bytes are compressed bytes in S3; times are seconds, or say days."""

    # Which engine, and how much at once. An object above lambda_max_bytes does not fit the transform Lambda's memory,
    # disk and time with a margin.
    lambda_max_bytes: int = 512 << 20
    group_max_bytes: int = 256 << 20  # of one Lambda's group, unless a single object is larger
    group_max_objects: int = 1000
    run_max_loads: int = 10_000
    max_attempts: int = 5  # then a load is parked and somebody is told
    run_timeout: int = 6 * 3600
    snapshot_days: int = 21  # after a snapshot was replaced
    orphan_days: int = 21  # before a file that no table names is removed
    salt_parameter: str = ""  # SSM SecureString with the salt of hashed columns; docs/contracts.md, Personal data

    # How Spark cuts its work, in bytes of raw objects.
    spark_part_bytes: int = 64 << 20  # one task reads at most about this much of an object that can be cut
    spark_bucket_bytes: int = 128 << 20  # one task writes about this much
    spark_task_bytes: int = 1 << 30  # memory of the kernel in one task

    @property
    def lease_seconds(self) -> int:
        """How long a dataset belongs to one run. It outlives the longest run, or a second one would start beside it."""
        return self.run_timeout + _LEASE_MARGIN


ROWS: tuple[str, ...] = tuple(row.name for row in fields(RuntimeSettings))


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"SLUICE_{name.upper()}"


def as_texts(settings: RuntimeSettings) -> Mapping[str, str]:
    """Return the settings as texts by name. Empty ones are left out: AWS refuses empty arguments of jobs."""
    return {name: text for name in ROWS if (text := str(getattr(settings, name)))}


def from_texts(kind: type[RuntimeSettings], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of `kind` that `texts` (by name) gives a value for; empty texts give none.

    Raises:
        ContractError: a number is not a whole number above 0.
    """
    found: dict[str, Any] = {}
    for row in fields(kind):
        if not (text := texts.get(row.name, "")):
            continue
        if isinstance(row.default, int) and (not text.isdecimal() or int(text) < 1):
            raise ContractError(
                f"expected a whole number above 0, got {text!r}", file="environment", place=variable(row.name)
            )
        found[row.name] = int(text) if isinstance(row.default, int) else text
    return found
