"""One page: does data arrive, does it come through, what does it cost."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.ingest import Ingest
from stacks.pipeline import Pipeline
from stacks.settings import Settings
from stacks.warehouse import Warehouse

_PERIOD = Duration.minutes(5)
_HALF = 12  # of the 24 columns of a dashboard


def dashboard(
    scope: Construct,
    construct_id: str,
    *,
    ingest: Ingest,
    pipeline: Pipeline,
    warehouse: Warehouse,
    settings: Settings,
) -> cloudwatch.Dashboard:
    """Make the dashboard."""
    run, marts = pipeline.run.machine, warehouse.marts.machine
    stages = [ingest.ingest, pipeline.claim, pipeline.transform, pipeline.publish, pipeline.settle, warehouse.refresh]
    page = cloudwatch.Dashboard(scope, construct_id)
    page.add_widgets(
        _graph(
            "Arriving",
            ingest.queue.metric_number_of_messages_received(period=_PERIOD),
            ingest.dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD, label="dead letters"),
        ),
        _graph("Waiting for ingest (seconds)", ingest.queue.metric_approximate_age_of_oldest_message(period=_PERIOD)),
    )
    page.add_widgets(*(_executions(title, machine) for title, machine in (("Runs", run), ("Marts", marts))))
    durations = [stage.function.metric_duration(period=_PERIOD, label=stage.node.id) for stage in stages]
    page.add_widgets(
        _graph("Duration of stages (ms)", *durations),
        _graph(
            "Bytes scanned by Athena",
            cloudwatch.Metric(
                namespace="AWS/Athena",
                metric_name="ProcessedBytes",
                dimensions_map={"WorkGroup": settings.name},
                statistic="Sum",
                period=_PERIOD,
            ),
        ),
    )
    return page


def _executions(title: str, machine: sfn.StateMachine) -> cloudwatch.GraphWidget:
    return _graph(
        title,
        machine.metric_started(period=_PERIOD),
        machine.metric_succeeded(period=_PERIOD),
        machine.metric_failed(period=_PERIOD),
    )


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=[*metrics], width=_HALF)
