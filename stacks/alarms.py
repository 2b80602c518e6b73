"""The alarms: for each its metric, its threshold and its page in docs/runbooks.

Alarms watch symptoms: an error that a retry repaired wakes nobody. Each costs ten cents a month, so stages that a state
machine retries are watched through their machine. A missing metric raises no alarm, except that of the reconciler:
its silence is the symptom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events

from sluice import metrics
from sluice.contract.plan import Plan
from sluice.metrics import Metric

from .ingest import Ingest
from .maintenance import Maintenance
from .pipeline import Pipeline
from .settings import Settings
from .warehouse import Warehouse

PERIOD = Duration.minutes(5)
_BUDGET_NEAR = 0.8


@dataclass(frozen=True, kw_only=True)
class AlarmSpec:
    """One alarm: it rises when the metric is above (or, where `below`, under) the threshold in one period."""

    name: str  # of the construct
    page: str  # docs/runbooks/<page>.md
    metric: cloudwatch.IMetric
    description: str
    threshold: float = 0
    below: bool = False
    silence_tells: bool = False  # missing data is told of, once there was some


def own(
    metric: Metric, settings: Settings, *, statistic: str, period: Duration, dataset: str = ""
) -> cloudwatch.Metric:
    """A metric that Sluice emits, over all datasets or of one."""
    dimensions = {"dataset": dataset, "stage": metric.stage} if dataset else {"stage": metric.stage}
    return cloudwatch.Metric(
        namespace=metrics.namespace(settings.environment),
        metric_name=metric.name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=period,
    )


def alarm_specs(
    *,
    ingest: Ingest,
    pipeline: Pipeline,
    warehouse: Warehouse,
    maintenance: Maintenance,
    job_failed: events.Rule,
    plans: Mapping[str, Plan],
    settings: Settings,
) -> Iterator[AlarmSpec]:
    """List all alarms of one environment."""
    yield from _queues(ingest, warehouse, maintenance, settings)
    yield from _functions(ingest, pipeline, warehouse, maintenance, settings)
    yield from _machines(pipeline, warehouse, job_failed)
    yield from _maintenance(maintenance, settings)
    yield from _data(settings)
    yield from _reconciler(settings)
    yield _silence(ingest, settings)
    yield from _money(settings)
    for plan in plans.values():
        yield from _promises(plan, settings)


def _queues(ingest: Ingest, warehouse: Warehouse, maintenance: Maintenance, settings: Settings) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        name="DeadLetters",
        page="dead-letters",
        metric=ingest.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
        description="Events that ingest could not read or register lie in its dead-letter queue",
    )
    undelivered = {
        "Ingest": ingest.undelivered,
        "Marts": warehouse.undelivered,
        "Maintenance": maintenance.undelivered,
    }
    for name, queue in undelivered.items():
        yield AlarmSpec(
            name=f"{name}Undelivered",
            page="undelivered-events",
            metric=queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
            description="EventBridge gave up on events",
        )
    yield AlarmSpec(
        name="QueueAge",
        page="queue-age",
        metric=ingest.queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum"),
        description=f"Uploads wait longer than {settings.queue_age_alarm} seconds for ingest",
        threshold=settings.queue_age_alarm,
    )


def _functions(
    ingest: Ingest, pipeline: Pipeline, warehouse: Warehouse, maintenance: Maintenance, settings: Settings
) -> Iterator[AlarmSpec]:
    alone = (ingest.ingest, ingest.reconcile)  # nobody retries these two and fails loudly in the end
    for stage in alone:
        name, function = stage.node.id, stage.function
        yield AlarmSpec(
            name=f"{name}Errors",
            page="stage-errors",
            metric=function.metric_errors(period=PERIOD),
            description=f"{name} fails",
        )
        yield AlarmSpec(
            name=f"{name}Throttles",
            page="stage-throttled",
            metric=function.metric_throttles(period=PERIOD),
            description=f"{name} is held back by the account's limit of concurrent functions",
        )
    run = (pipeline.claim, pipeline.transform, pipeline.publish, pipeline.settle)
    for stage in (*alone, *run, warehouse.refresh, maintenance.maintain):
        yield AlarmSpec(
            name=f"{stage.node.id}Slow",
            page="stage-slow",
            metric=stage.function.metric_duration(period=PERIOD, statistic="Maximum"),
            description=f"{stage.node.id} takes {settings.slow_share:.0%} or more of its {stage.timeout_seconds} s",
            threshold=1000 * stage.timeout_seconds * settings.slow_share,
        )


def _machines(pipeline: Pipeline, warehouse: Warehouse, job_failed: events.Rule) -> Iterator[AlarmSpec]:
    for name, page, machine in (
        ("Run", "run-failed", pipeline.run.machine),
        ("Marts", "marts-failed", warehouse.marts.machine),
    ):
        yield AlarmSpec(
            name=f"{name}Failed",
            page=page,
            metric=machine.metric_failed(period=PERIOD),
            description=f"{name} failed in part",
        )
        yield AlarmSpec(
            name=f"{name}TimedOut",
            page=page,
            metric=machine.metric_timed_out(period=PERIOD),
            description=f"{name} took too long",
        )
        yield AlarmSpec(
            name=f"{name}Aborted",
            page=page,
            metric=machine.metric_aborted(period=PERIOD),
            description=f"{name} was stopped",
        )
    yield AlarmSpec(
        name="GlueJobFailed",
        page="glue-job-failed",
        # Glue has no free metric of failed job runs, but tells an event for each, and a rule counts its events.
        metric=cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="Invocations",
            dimensions_map={"RuleName": job_failed.rule_name},
            statistic="Sum",
            period=PERIOD,
        ),
        description="A Glue job run failed",
    )


def _maintenance(maintenance: Maintenance, settings: Settings) -> Iterator[AlarmSpec]:
    machine = maintenance.machine.machine
    for name, metric, description in (
        ("MaintenanceFailed", machine.metric_failed(period=PERIOD), "Maintenance failed for some tables"),
        ("MaintenanceTimedOut", machine.metric_timed_out(period=PERIOD), "Maintenance took too long"),
        ("MaintenanceAborted", machine.metric_aborted(period=PERIOD), "Maintenance was stopped"),
    ):
        yield AlarmSpec(name=name, page="maintenance-failed", metric=metric, description=description)
    yield AlarmSpec(
        name="FilesMissing",
        page="files-missing",
        metric=own(metrics.FILES_MISSING, settings, statistic="Sum", period=PERIOD),
        description="A table names files that are not there",
    )


def _data(settings: Settings) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        name=metrics.UNKNOWN_KEYS.name,
        page="unknown-keys",
        metric=own(metrics.UNKNOWN_KEYS, settings, statistic="Sum", period=PERIOD),
        description="Files arrived that lie in no dataset's folder",
    )
    yield AlarmSpec(
        name="RejectShare",
        page="reject-share",
        metric=own(metrics.REJECT_SHARE, settings, statistic="Maximum", period=PERIOD),
        description=f"More than {settings.reject_share_alarm:.1%} of a run's rows broke their contract",
        threshold=settings.reject_share_alarm,
    )
    for metric, description in (
        (metrics.OBJECTS_REFUSED, "Objects could not be read at all"),
        (metrics.OBJECTS_HELD_BACK, "Objects are too bad to be published"),
    ):
        yield AlarmSpec(
            name=metric.name,
            page="objects-refused",
            metric=own(metric, settings, statistic="Sum", period=PERIOD),
            description=description,
        )
    yield AlarmSpec(
        name="Volume",
        page="volume",
        metric=own(metrics.VOLUME_RATIO, settings, statistic="Maximum", period=PERIOD),
        description=f"A run brought {settings.volume_alarm:g} times more or fewer rows an object than is usual",
        threshold=settings.volume_alarm,
    )
    yield AlarmSpec(
        name="CommitConflicts",
        page="commit-conflicts",
        metric=own(metrics.COMMIT_CONFLICTS, settings, statistic="Sum", period=Duration.hours(1)),
        description=f"Publishing had to try again more than {settings.conflicts_alarm} times in an hour",
        threshold=settings.conflicts_alarm,
    )


def _reconciler(settings: Settings) -> Iterator[AlarmSpec]:
    turn = Duration.minutes(settings.reconcile_minutes)
    for metric, description in (
        (metrics.LOADS_MISSING, "The reconciler found objects that no event told of"),
        (metrics.VERSIONS_GONE, "The reconciler found published versions that were deleted for good"),
        (metrics.LEASES_BROKEN, "The reconciler found a run that ended without settling"),
        (metrics.FENCES_FORGOTTEN, "The reconciler found a ledger that has lost runs"),
    ):
        yield AlarmSpec(
            name=metric.name,
            page="reconciler-found",
            metric=own(metric, settings, statistic="Sum", period=turn),
            description=description,
        )
    yield AlarmSpec(
        name="LoadsParked",
        page="loads-parked",
        metric=own(metrics.LOADS_PARKED, settings, statistic="Maximum", period=turn),
        description=f"Loads were given up after {settings.max_attempts} runs",
    )
    yield AlarmSpec(
        name="LoadsStuck",
        page="loads-stuck",
        metric=own(metrics.WAIT_SECONDS, settings, statistic="Maximum", period=turn),
        description=f"A load has waited for more than {settings.stuck_alarm} seconds",
        threshold=settings.stuck_alarm,
    )


def _silence(ingest: Ingest, settings: Settings) -> AlarmSpec:
    """Yield alarms for the reconciler itself: it is the last to find lost events, so its silence must be noticed."""
    return AlarmSpec(
        name="ReconcilerSilent",
        page="reconciler-silent",
        metric=ingest.reconcile.function.metric_invocations(period=Duration.minutes(4 * settings.reconcile_minutes)),
        description="The reconciler has not run for four of its turns",
        threshold=1,
        below=True,
        silence_tells=True,
    )


def _money(settings: Settings) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        name="BudgetNear",
        page="budget",
        metric=own(metrics.BUDGET_SHARE, settings, statistic="Maximum", period=PERIOD),
        description=f"A dataset has spent {_BUDGET_NEAR:.0%} of its month's budget",
        threshold=_BUDGET_NEAR,
    )
    yield AlarmSpec(
        name="OverBudget",
        page="budget",
        metric=own(metrics.OVER_BUDGET, settings, statistic="Sum", period=PERIOD),
        description="A dataset's budget is spent and its loads wait",
    )
    for name, metric in (("RunsDailyCost", metrics.DOLLARS), ("MartsDailyCost", metrics.MART_DOLLARS)):
        yield AlarmSpec(
            name=name,
            page="daily-cost",
            metric=own(metric, settings, statistic="Sum", period=Duration.days(1)),
            description=f"A day cost more than ${settings.daily_dollars_alarm:g}",
            threshold=settings.daily_dollars_alarm,
        )


def _promises(plan: Plan, settings: Settings) -> Iterator[AlarmSpec]:
    """Yield an alarm for each promise about time that a contract makes."""
    name = "".join(word.title() for word in plan.dataset.split("_"))
    if plan.latency_seconds is not None:
        yield AlarmSpec(
            name=f"{name}Late",
            page="late",
            metric=own(metrics.LAG_SECONDS, settings, statistic="Maximum", period=PERIOD, dataset=plan.dataset),
            description=f"Data of {plan.dataset} reached its table later than the {plan.latency_seconds} s promised",
            threshold=plan.latency_seconds,
        )
    if plan.frequency_seconds is not None:
        yield AlarmSpec(
            name=f"{name}Stale",
            page="stale",
            metric=own(
                metrics.AGE_SECONDS,
                settings,
                statistic="Maximum",
                period=Duration.minutes(settings.reconcile_minutes),
                dataset=plan.dataset,
            ),
            description=f"No new data of {plan.dataset} for more than the {plan.frequency_seconds} seconds promised",
            threshold=plan.frequency_seconds,
        )
