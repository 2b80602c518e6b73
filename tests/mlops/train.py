"""What a team would write: a Kubeflow pipeline that trains on a frozen version, logged to MLflow. Run by the tests.

`python train.py NAME@ID WORKDIR` prints one JSON object. It runs the pipeline in processes on this machine.

No `from __future__ import annotations` here: kfp reads the annotations as they stand.
"""

import json
import os
import sys
from pathlib import Path

from kfp import compiler, dsl, local

from sluice.frozen.kubeflow import load_frozen, verify_frozen


@dsl.component(base_image="python:3.11", packages_to_install=["numpy", "pyarrow"])
def train(data: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model], metrics: dsl.Output[dsl.Metrics]):
    """Fit a logistic regression of `late` on distance and hour."""
    import json
    from pathlib import Path

    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(data.path)
    x = np.c_[table["distance"].to_numpy(), table["hour"].to_numpy()].astype(float)
    y = table["late"].to_numpy(zero_copy_only=False).astype(float)
    x = np.c_[np.ones(len(x)), (x - x.mean(0)) / x.std(0)]
    weights = np.zeros(3)
    for _ in range(200):
        weights -= 0.5 * x.T @ (1 / (1 + np.exp(-x @ weights)) - y) / len(y)
    chance = 1 / (1 + np.exp(-x @ weights))
    loss = float(-(y * np.log(chance) + (1 - y) * np.log(1 - chance)).mean())
    Path(model.path).write_text(json.dumps({"weights": weights.tolist()}))
    model.metadata.update({name: data.metadata[name] for name in ("sluice_frozen", "sluice_digest")})
    metrics.log_metric("logloss", loss)


@dsl.pipeline(name="late-flights")
def pipeline(reference: str, side: str = "train"):
    """Verify, load, train."""
    checked = verify_frozen(reference=reference)
    loaded = load_frozen(reference=checked.output, side=side)
    train(data=loaded.outputs["data"])


def main(reference: str, work: Path) -> dict[str, object]:
    """Run the pipeline, log the model to MLflow, and say what both recorded."""
    import mlflow

    compiler.Compiler().compile(pipeline, str(work / "late.yaml"))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(work / "kfp"))
    pipeline(reference=reference)
    outputs = {path.parent.name: json.loads(path.read_text()) for path in (work / "kfp").rglob("executor_output.json")}
    artifact = outputs["train"]["artifacts"]["model"]["artifacts"][0]
    mlflow.set_experiment("late")
    dataset = mlflow.data.from_sluice(reference)
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
        mlflow.set_tag("sluice.frozen", artifact["metadata"]["sluice_frozen"])
        logged = outputs["train"]["artifacts"]["metrics"]["artifacts"][0]["metadata"]["logloss"]
        mlflow.log_metric("logloss", logged)
    back = mlflow.get_run(run.info.run_id).inputs.dataset_inputs[0]
    again = mlflow.data.get_source(back).load()
    return {
        "run": run.info.run_id,
        "model": artifact["metadata"],
        "logged": {"name": back.dataset.name, "digest": back.dataset.digest, "type": back.dataset.source_type},
        "identical": again.equals(dataset.df),
        "rows": len(again),
    }


if __name__ == "__main__":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "1"
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
