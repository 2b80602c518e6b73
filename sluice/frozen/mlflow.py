"""What MLflow knows of frozen versions, for people: which runs and models saw one, and which one a run saw.

The first import lets MLflow load its plugins, `mlflow_plugin.py` among them, before anything here needs them.
"""

from collections.abc import Sequence
from typing import Any

import mlflow.data

from sluice.frozen.load import read
from sluice.frozen.mlflow_plugin import DIGEST_DIGITS, SluiceDatasetSource, from_sluice

__all__ = ["SluiceDatasetSource", "from_sluice", "models_of", "runs_of", "signature_problems", "versions_of"]


def runs_of(reference: str, *, experiment_ids: Sequence[str] | None = None) -> Sequence[Any]:
    """List the MLflow runs that logged a frozen version as input, newest first."""
    frozen = read(reference)
    ids = experiment_ids or [experiment.experiment_id for experiment in mlflow.search_experiments()]
    found: Sequence[Any] = mlflow.search_runs(
        experiment_ids=list(ids),
        filter_string=f"dataset.digest = '{frozen.digest[:DIGEST_DIGITS]}'",
        output_format="list",
    )
    return found


def models_of(reference: str, *, experiment_ids: Sequence[str] | None = None) -> Sequence[Any]:
    """List the logged models with a metric that was computed on a frozen version."""
    frozen = read(reference)
    ids = experiment_ids or [experiment.experiment_id for experiment in mlflow.search_experiments()]
    datasets = [{"dataset_name": frozen.name, "dataset_digest": frozen.digest[:DIGEST_DIGITS]}]
    models = mlflow.search_logged_models(experiment_ids=list(ids), output_format="list")
    return [
        model
        for model in models
        if any(
            metric.dataset_name == one["dataset_name"] and metric.dataset_digest == one["dataset_digest"]
            for metric in model.metrics or []
            for one in datasets
        )
    ]


def versions_of(run_id: str) -> Sequence[str]:
    """List the frozen versions (`sluice://name@id`) that an MLflow run logged as inputs."""
    inputs = mlflow.get_run(run_id).inputs
    found = [mlflow.data.get_source(one) for one in (inputs.dataset_inputs if inputs else [])
             if one.dataset.source_type == "sluice"]  # fmt: skip
    return [source.uri for source in found]


def signature_problems(reference: str, model_uri: str) -> Sequence[str]:
    """Compare a model's input signature with a frozen version: columns that are missing there, in words."""
    columns = {column.name for column in read(reference).columns}
    signature = mlflow.models.get_model_info(model_uri).signature
    if signature is None or signature.inputs is None:
        return ["the model has no signature"]
    return [f"{name} is no column of the set" for name in signature.inputs.input_names() if name not in columns]
