"""Once a day: small files become fewer, old snapshots are forgotten, and files that nobody needs are removed."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from sluice.locations import RUNS, TABLES

from . import access
from .assets import Assets
from .dead_letters import dead_letters
from .lake import Lake
from .machine import Machine
from .machines.maintenance import maintenance_definition
from .settings import Settings
from .stage_function import StageFunction

_HOUR = "3"  # UTC


class Maintenance(Construct):
    """The only part that may remove objects of the lake, below `tables/`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        lake: Lake,
        settings: Settings,
        assets: Assets,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        self.maintain = StageFunction(
            self,
            "Maintain",
            stage="maintain",
            code=assets.functions["maintain"],
            settings=settings,
            environment=environment,
        )
        self.machine = Machine(
            self,
            "Tables",
            definition=maintenance_definition(timeout=settings.run_timeout, maintain=self.maintain.timeout_seconds),
            substitutions={"Maintain": self.maintain.arn},
            log_days=settings.log_days,
        )
        self.undelivered = dead_letters(self, "Undelivered")
        events.Rule(
            self,
            "MaintenanceSchedule",
            schedule=events.Schedule.cron(hour=_HOUR, minute="17"),
            targets=[
                targets.SfnStateMachine(
                    self.machine.machine,
                    dead_letter_queue=self.undelivered,
                    max_event_age=Duration.hours(12),
                    retry_attempts=10,
                )
            ],
        )
        self.machine.allow(access.allow(["lambda:InvokeFunction"], self.maintain.arn))
        self.maintain.allow(
            access.use_ledger(lake.ledger, "UpdateItem"),
            access.list_keys(lake.lake),
            access.read_objects(lake.lake, RUNS, TABLES),
            access.write_objects(lake.lake, RUNS, TABLES),
            access.remove_objects(lake.lake, TABLES),
            access.see_database(Stack.of(self), settings.database),
            access.use_tables(Stack.of(self), settings.database, "GetTable", "GetTables", "UpdateTable", "DeleteTable"),
        )
        access.unseen(
            self.maintain.role,
            "What nobody needs is forgotten and removed days after it was first seen, and offline no day passes: "
            "tests/stage lets them pass",
            "glue:DeleteTable",
            "s3:DeleteObject",
        )
