"""The AWS of one warm process: clients made when first asked for, and kept. Entry points pass its parts to the stages.

The environment, the wall clock and sleeping come in here and nowhere else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from sluice.contract.plan import Plan
from sluice.ledger.model import Lease
from sluice.ledger.table import Ledger
from sluice.stages.environment import StageSettings
from sluice.stages.run_folder import RunFolder
from sluice.stages.spending import Calls, Meter
from sluice.stages.wake import wake

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient
    from pyiceberg.catalog.glue import GlueCatalog

# Every call made through these clients may be repeated; Glue's is another matter (`sluice.lake.catalog`). The stages
# use up to 16 threads on one client.
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=32)


def utc_now() -> datetime:
    """Read the wall clock."""
    return datetime.now(UTC)


class Services:
    """Clients for one set of settings. `AWS_ENDPOINT_URL`, if set, points all of them at the offline AWS."""

    def __init__(
        self,
        settings: StageSettings,
        *,
        session: boto3.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings, self.sleep = settings, sleep
        self._session = session or boto3.Session()
        self._is_fresh = True
        self._calls = Calls(self._session)  # before the first client is made: clients copy what is registered

    @cached_property
    def s3(self) -> S3Client:
        """S3, raw zone and lake."""
        return self._session.client("s3", config=_PATIENT)

    @cached_property
    def states(self) -> SFNClient:
        """Step Functions."""
        return self._session.client("stepfunctions", config=_PATIENT)

    @cached_property
    def events(self) -> EventBridgeClient:
        """EventBridge."""
        return self._session.client("events", config=_PATIENT)

    @cached_property
    def glue(self) -> GlueClient:
        """Glue, to look things up. Tables are changed through `catalog` only."""
        return self._session.client("glue", config=_PATIENT)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        tables = self._session.resource("dynamodb", config=_PATIENT)
        return Ledger(tables.Table(self.settings.ledger_table), sleep=self.sleep)

    @cached_property
    def catalog(self) -> GlueCatalog:
        """The Glue catalog, for Iceberg."""
        # pyiceberg takes a second to import: functions that touch no table must not pay for it.
        from sluice.lake.catalog import connect  # noqa: PLC0415

        return connect(self._session, endpoint=self.settings.endpoint or None)

    def salt(self, plan: Plan) -> str | None:
        """Read the salt of hashed columns, if the plan has any."""
        from sluice.stages.salt import salt_from  # noqa: PLC0415  (the kernel, which ingest and settle do not need)

        return salt_from(self.settings.salt_parameter, lambda: self._session.client("ssm", config=_PATIENT))(plan)

    def meter(self) -> Meter:
        """Begin to measure an invocation."""
        # Of a fresh process this is how long importing took, without the time that it may have been frozen since.
        started, self._is_fresh = time.process_time() if self._is_fresh else 0.0, False
        return Meter(self._calls, memory_megabytes=self.settings.memory_megabytes, start_seconds=started)

    def run_folder(self, dataset: str, fence: int) -> RunFolder:
        """Open the folder of one run."""
        return RunFolder(self.s3, bucket=self.settings.lake_bucket, dataset=dataset, fence=fence)

    def waking(self, state_machine: str, now: datetime) -> Callable[[str], Lease]:
        """Return what wakes a dataset, given its name."""
        return partial(
            wake,
            ledger=self.ledger,
            states=self.states,
            state_machine=state_machine,
            now=now,
            lease_seconds=self.settings.lease_seconds,
        )


@cache
def services(*required: str) -> Services:
    """Make this process's services at the first call. Raises ContractError if a required setting is not there."""
    return Services(StageSettings.from_environment(os.environ).require(*required))
