"""Frozen versions of data sets: rows that a model was trained on, pinned for good and traceable to their files.

A frozen version is immutable. This package reads tables and the ledger, and writes nothing but its own files,
manifests and Iceberg tags. `model` is what a manifest says, `digest` what makes rows the same, `freeze` makes a
version, `load` reads one, `verify` proves one, `compare` tells two apart; `mlflow`, `dvc` and `kubeflow` hand
versions to other people's tools and import them only when they are used.
"""

from sluice.frozen import model
from sluice.frozen.load import load, open_store, read

__all__ = ["load", "model", "open_store", "read"]
