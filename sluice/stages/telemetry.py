"""How a stage tells what it found: metrics in CloudWatch's embedded format, one line of log each time.

Which metrics there are is in `sluice.metrics`. Each line also carries dataset, run and fence, so that a peak in a
graph leads to the run that made it.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from sluice.metrics import Metric

_UNITS = {"Count": MetricUnit.Count, "Seconds": MetricUnit.Seconds, "None": MetricUnit.NoUnit}


def emit(figures: Mapping[Metric, float], *, dataset: str | None = None, **correlation: object) -> None:
    """Emit figures of one stage; rare ones only where they are not 0. `dataset` adds the series of the dataset."""
    told = {metric: value for metric, value in figures.items() if value or not metric.rare}
    if not told:
        return
    (stage,) = {metric.stage for metric in told}
    metrics = AmazonCloudWatchEMFProvider(
        service=""
    )  # the stage is a dimension already; the namespace comes with the template
    metrics.add_dimension(name="stage", value=stage)
    if dataset is not None:
        metrics.add_dimensions(dataset=dataset, stage=stage)
    for metric, value in told.items():
        metrics.add_metric(name=metric.name, unit=_UNITS[metric.unit], value=value)
    for name, said in correlation.items():
        metrics.add_metadata(key=name, value=said)
    metrics.flush_metrics()
