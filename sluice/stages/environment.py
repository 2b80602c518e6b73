"""What a Lambda function knows of its environment: the settings of `sluice.settings`, and the names of resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sluice.errors import ContractError
from sluice.kernel.outcome import Limits
from sluice.settings import RuntimeSettings, from_texts, variable

_MEGABYTES_A_CPU = 1769  # docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_OF_AWS = {"endpoint": "AWS_ENDPOINT_URL", "memory_megabytes": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}


@dataclass(frozen=True, kw_only=True)
class StageSettings(RuntimeSettings):
    """The settings of one function. Names that it does not use may be empty; `require` says which it needs."""

    raw_bucket: str = ""
    lake_bucket: str = ""
    ledger_table: str = ""
    database: str = ""
    state_machine: str = ""
    workgroup: str = ""
    endpoint: str = ""  # of the offline AWS; empty on AWS
    memory_megabytes: int = _MEGABYTES_A_CPU  # of this function

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> StageSettings:
        """Read the settings. Raises ContractError where a number is not one."""
        texts = {name: environ.get(_OF_AWS.get(name, variable(name)), "") for name in (row.name for row in fields(cls))}
        return cls(**from_texts(cls, texts))

    def limits(self) -> Limits:
        """Return the bounds for kernel calls in this function."""
        return Limits(
            # DuckDB's limit is soft, by up to 30%, and Python wants its share.
            memory_bytes=self.memory_megabytes * (1 << 20) * 6 // 10,
            threads=max(1, round(self.memory_megabytes / _MEGABYTES_A_CPU)),
        )

    def require(self, *names: str) -> StageSettings:
        """Return these settings. Raises ContractError with the first of `names` that is empty."""
        for name in names:
            if not getattr(self, name):
                raise ContractError("the variable is not set", file="environment", place=variable(name))
        return self
