"""One page that answers at a glance whether data is fresh, complete and cheap.

Series of datasets are searched for, so that a new contract appears by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from sluice import metrics
from sluice.metrics import Metric

from .alarms import PERIOD
from .ingest import Ingest
from .pipeline import Pipeline
from .settings import Settings
from .warehouse import Warehouse

_WIDTH = 24  # columns of a dashboard
_DAY = Duration.days(1)


def dashboard(
    scope: Construct,
    construct_id: str,
    *,
    ingest: Ingest,
    pipeline: Pipeline,
    warehouse: Warehouse,
    alarms: Sequence[cloudwatch.IAlarm],
    settings: Settings,
) -> cloudwatch.Dashboard:
    """Make the dashboard: alarms first, then a row for each of the three questions, then the machinery."""
    page = cloudwatch.Dashboard(scope, construct_id, default_interval=Duration.days(1))
    page.add_widgets(cloudwatch.AlarmStatusWidget(title="What is wrong", alarms=[*alarms], width=_WIDTH, height=4))

    def told(metric: Metric, statistic: str, period: Duration = PERIOD) -> cloudwatch.MathExpression:
        return _of_each_dataset(metric, settings, statistic, period)

    page.add_widgets(
        *_row(
            "Is it fresh?",
            ("From arrival to table, longest (seconds)", [told(metrics.LAG_SECONDS, "Maximum")]),
            ("Since new data, where promised (seconds)", [told(metrics.AGE_SECONDS, "Maximum")]),
            ("Oldest that waits (seconds)", [told(metrics.WAIT_SECONDS, "Maximum"), _queue_age(ingest)]),
        )
    )
    page.add_widgets(
        *_row(
            "Is it complete?",
            ("Rows accepted", [told(metrics.ROWS_ACCEPTED, "Sum")]),
            ("Rows rejected", [told(metrics.ROWS_REJECTED, "Sum")]),
            (
                "Objects refused, lost and found, or given up",
                [
                    told(metrics.OBJECTS_REFUSED, "Sum"),
                    told(metrics.OBJECTS_HELD_BACK, "Sum"),
                    told(metrics.LOADS_MISSING, "Sum"),
                    told(metrics.LOADS_PARKED, "Maximum"),
                ],
            ),
        )
    )
    page.add_widgets(
        *_row(
            "Is it cheap?",
            ("Dollars a day by dataset", [told(metrics.DOLLARS, "Sum", _DAY)]),
            ("Dollars a day for marts", [_of_the_stage(metrics.MART_DOLLARS, settings, _DAY)]),
            ("Bytes scanned by Athena", [_scanned(settings)]),
        )
    )
    stages = [ingest.ingest, pipeline.claim, pipeline.transform, pipeline.publish, pipeline.settle, warehouse.refresh]
    durations = [stage.function.metric_duration(period=PERIOD, label=stage.node.id) for stage in stages]
    page.add_widgets(
        *_row(
            "The machinery",
            ("Runs", _executions(pipeline.run.machine)),
            ("Marts", _executions(warehouse.marts.machine)),
            ("Duration of stages (ms)", durations),
        )
    )
    return page


def _row(title: str, *graphs: tuple[str, Sequence[cloudwatch.IMetric]]) -> Sequence[cloudwatch.IWidget]:
    heading = cloudwatch.TextWidget(markdown=f"## {title}", width=_WIDTH, height=1)
    width = _WIDTH // len(graphs)
    return [heading, *(cloudwatch.GraphWidget(title=name, left=[*series], width=width) for name, series in graphs)]


def _of_each_dataset(metric: Metric, settings: Settings, statistic: str, period: Duration) -> cloudwatch.MathExpression:
    names = f"{{{metrics.namespace(settings.environment)},dataset,stage}}"
    wanted = f'MetricName="{metric.name}" stage="{metric.stage}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{names} {wanted}', '{statistic}', {period.to_seconds():.0f})",
        using_metrics={},
        label=f"{metric.name} ${{PROP('Dim.dataset')}}",
        period=period,
    )


def _of_the_stage(metric: Metric, settings: Settings, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=metrics.namespace(settings.environment),
        metric_name=metric.name,
        dimensions_map={"stage": metric.stage},
        statistic="Sum",
        period=period,
    )


def _queue_age(ingest: Ingest) -> cloudwatch.IMetric:
    return ingest.queue.metric_approximate_age_of_oldest_message(period=PERIOD, label="events for ingest")


def _scanned(settings: Settings) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/Athena",
        metric_name="ProcessedBytes",
        dimensions_map={"WorkGroup": settings.name},
        statistic="Sum",
        period=PERIOD,
    )


def _executions(machine: sfn.StateMachine) -> Sequence[cloudwatch.IMetric]:
    return [
        machine.metric_started(period=PERIOD),
        machine.metric_succeeded(period=PERIOD),
        machine.metric_failed(period=PERIOD),
    ]
