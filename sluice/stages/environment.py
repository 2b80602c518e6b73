"""The settings of a Lambda or job, typed, from its environment. The template sets them; nothing else reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.errors import ContractError
from sluice.kernel.outcome import Limits

_TEXTS = {
    "raw_bucket": "SLUICE_RAW_BUCKET",
    "lake_bucket": "SLUICE_LAKE_BUCKET",
    "ledger_table": "SLUICE_LEDGER_TABLE",
    "database": "SLUICE_DATABASE",
    "state_machine": "SLUICE_STATE_MACHINE",
    "workgroup": "SLUICE_WORKGROUP",
    "salt_parameter": "SLUICE_SALT_PARAMETER",
    "endpoint": "AWS_ENDPOINT_URL",
}
_NUMBERS = {
    "lambda_max_bytes": "SLUICE_LAMBDA_MAX_BYTES",
    "group_max_bytes": "SLUICE_GROUP_MAX_BYTES",
    "group_max_objects": "SLUICE_GROUP_MAX_OBJECTS",
    "run_max_loads": "SLUICE_RUN_MAX_LOADS",
    "max_attempts": "SLUICE_MAX_ATTEMPTS",
    "lease_seconds": "SLUICE_LEASE_SECONDS",
    "snapshot_days": "SLUICE_SNAPSHOT_DAYS",
    "orphan_days": "SLUICE_ORPHAN_DAYS",
    "memory_megabytes": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
}

_MEGABYTES_A_CPU = 1769  # docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """What the template decided. Names that a function does not use may be empty; `require` says which it needs."""

    raw_bucket: str = ""
    lake_bucket: str = ""
    ledger_table: str = ""
    database: str = ""
    state_machine: str = ""
    workgroup: str = ""
    salt_parameter: str = ""  # name of the SSM parameter with the salt of hashed columns
    endpoint: str = ""  # of the offline AWS; empty on AWS
    lambda_max_bytes: int = 512 << 20  # an object above it is transformed on Glue
    group_max_bytes: int = 256 << 20  # of one Lambda's group, unless a single object is larger
    group_max_objects: int = 200
    run_max_loads: int = 2000
    max_attempts: int = 5  # then a load is parked
    lease_seconds: int = 6 * 3600  # must outlast the state machine's timeout
    snapshot_days: int = 21  # a replaced snapshot is kept for so long
    orphan_days: int = 21  # a file that no table names is kept for so long
    memory_megabytes: int = _MEGABYTES_A_CPU  # of this function

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> StageSettings:
        """Read the settings. Raises ContractError where a number is not one."""
        texts = {field: environ[name] for field, name in _TEXTS.items() if environ.get(name)}
        numbers: dict[str, int] = {}
        for field, name in _NUMBERS.items():
            if value := environ.get(name):
                if not value.isdecimal() or int(value) < 1:
                    raise ContractError(
                        f"expected a whole number above 0, got {value!r}", file="environment", place=name
                    )
                numbers[field] = int(value)
        return cls(**texts, **numbers)  # type: ignore[arg-type]

    def limits(self) -> Limits:
        """Return the bounds for kernel calls in this function."""
        return Limits(
            # DuckDB's limit is soft, by up to 30%, and Python wants its share.
            memory_bytes=self.memory_megabytes * (1 << 20) * 6 // 10,
            threads=max(1, round(self.memory_megabytes / _MEGABYTES_A_CPU)),
        )

    def require(self, *fields: str) -> StageSettings:
        """Return these settings. Raises ContractError with the first of `fields` that is empty."""
        for field in fields:
            if not getattr(self, field):
                raise ContractError("the variable is not set", file="environment", place=_TEXTS[field])
        return self
