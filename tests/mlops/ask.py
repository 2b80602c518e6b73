"""What MLflow answers about frozen versions. `python ask.py NAME@ID...` prints runs by version and versions by run."""

from __future__ import annotations

import json
import sys

from sluice.frozen.mlflow import runs_of, versions_of

answers = {}
for reference in sys.argv[1:]:
    runs = [run.info.run_id for run in runs_of(reference)]
    answers[reference] = {run: list(versions_of(run)) for run in runs}
print(json.dumps(answers))
