"""Kubeflow Pipelines: components that freeze, load and verify. A task's artifact names the frozen version.

Each component is a container's program: its source travels to the cluster, so it imports what it needs inside. The
environment of the task names the lake (SLUICE_LAKE_BUCKET, SLUICE_DATABASE, SLUICE_WORKGROUP) and the credentials.

No `from __future__ import annotations` here: kfp reads the annotations as they stand.
"""

from importlib.metadata import version

from kfp import dsl

_BASE = "python:3.11"
_PACKAGES = [f"sluice=={version('sluice')}"]


@dsl.component(base_image=_BASE, packages_to_install=_PACKAGES)
def load_frozen(reference: str, data: dsl.Output[dsl.Dataset], side: str = "") -> str:
    """Download a frozen version as one Parquet file, its bytes checked, and return `sluice://name@id`."""
    from pathlib import Path  # noqa: PLC0415

    import pyarrow.parquet as pq  # noqa: PLC0415

    from sluice.frozen.load import arrow, read  # noqa: PLC0415

    frozen = read(reference)
    Path(data.path).parent.mkdir(parents=True, exist_ok=True)
    table = arrow(frozen.uri, side=side or None)
    pq.write_table(table, data.path)
    data.metadata.update(
        {
            "sluice_frozen": frozen.uri, "sluice_digest": frozen.digest, "rows": table.num_rows,
            "snapshots": {pin.table: str(pin.snapshot) for pin in frozen.pins},
        }
    )  # fmt: skip
    return frozen.uri


@dsl.component(base_image=_BASE, packages_to_install=_PACKAGES)
def verify_frozen(reference: str) -> str:
    """Fail unless bytes and rows are those that were frozen, and return `sluice://name@id`."""
    from sluice.frozen.load import open_store  # noqa: PLC0415
    from sluice.frozen.verify import verify_files  # noqa: PLC0415

    store = open_store()
    frozen = store.resolve(reference)
    failed = [proof.detail for proof in verify_files(store, frozen) if not proof.holds]
    if failed:
        raise RuntimeError("; ".join(failed))
    return frozen.uri


@dsl.component(base_image=_BASE, packages_to_install=_PACKAGES)
def freeze_set(project: str, name: str) -> str:
    """Freeze a set of the project in a folder (part of the image, or a mounted volume); return `sluice://name@id`."""
    from datetime import UTC, datetime  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from sluice.frozen.freeze import Asked, freeze  # noqa: PLC0415
    from sluice.frozen.load import open_store  # noqa: PLC0415
    from sluice.project import load_project  # noqa: PLC0415

    found = load_project(Path(project))
    definition = next(one for one in found.sets if one.name == name)
    asked = Asked(by="kubeflow", code="kubeflow", moment=datetime.now(UTC))
    frozen, _ = freeze(open_store(), definition, marts=found.marts, asked=asked)
    return frozen.uri
