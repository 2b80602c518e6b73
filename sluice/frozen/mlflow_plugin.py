"""MLflow's side of a frozen version: a dataset source and a constructor, which MLflow loads by entry points.

Nothing else belongs here: MLflow imports this module while it is imported itself (`mlflow.py` is for people).

`mlflow.data.from_sluice("delays@latest")` makes the dataset; `mlflow.data.get_source(...).load()` gives the identical
frame back as long as the version exists. Works with mlflow-skinny; making a dataset needs pandas, too.

No `from __future__ import annotations` here: MLflow reads the return annotation of a constructor as a class.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource

from sluice.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from sluice.frozen.model import Frozen

DIGEST_DIGITS = 32  # MLflow takes at most 36 characters; the whole digest is in the source


class SluiceDatasetSource(DatasetSource):
    """Where a dataset came from: a frozen version, by name, id and digest. Resolves `sluice://name@id`."""

    def __init__(self, *, name: str, version: str, digest: str, snapshots: Mapping[str, str]) -> None:
        self.name, self.version, self.digest, self.snapshots = name, version, digest, dict(snapshots)

    @property
    def uri(self) -> str:
        """Return `sluice://name@id`."""
        return f"sluice://{self.name}@{self.version}"

    @staticmethod
    def _get_source_type() -> str:
        return "sluice"

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.startswith("sluice://")

    @classmethod
    def _resolve(cls, raw_source: Any) -> "SluiceDatasetSource":
        from sluice.frozen.load import read  # noqa: PLC0415  (the SDK)

        return cls.of(read(raw_source))

    @classmethod
    def of(cls, frozen: "Frozen") -> "SluiceDatasetSource":
        """Return the source for a manifest."""
        snapshots = {pin.table: str(pin.snapshot) for pin in frozen.pins}
        return cls(name=frozen.name, version=frozen.id, digest=frozen.digest, snapshots=snapshots)

    def to_dict(self) -> dict[Any, Any]:
        """Return what MLflow stores."""
        return {
            "uri": self.uri, "name": self.name, "id": self.version, "digest": self.digest,
            "snapshots": self.snapshots,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> "SluiceDatasetSource":
        """Read what `to_dict` returned."""
        return cls(
            name=source_dict["name"], version=source_dict["id"], digest=source_dict["digest"],
            snapshots=source_dict.get("snapshots", {}),
        )  # fmt: skip

    def load(self, **_: Any) -> "pd.DataFrame":
        """Return the identical frame. Raises DataError where the version is not the one that was logged."""
        from sluice.frozen.load import load, read  # noqa: PLC0415

        found = read(self.uri)
        if found.digest != self.digest:
            raise DataError(f"the digest is not that of the run: {self.digest[:16]}", dataset=self.uri, rule="frozen")
        return load(self.uri)


def from_sluice(
    reference: str,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    side: str | None = None,
) -> Dataset:
    """Return a dataset for `mlflow.log_input` from `name@latest`, `name@id` or `sluice://name@id`.

    Args:
        reference: The frozen version.
        targets: The label's column; without it, the one that the set declares.
        name: How the dataset is called in MLflow; without it, the name of the set.
        digest: At most 36 characters, in place of the first 32 digits of the version's digest.
        side: Only the rows of this side of the split. The digest stays that of the whole version.
    """
    from mlflow.data.pandas_dataset import PandasDataset  # noqa: PLC0415  (numpy and pandas)

    from sluice.frozen.load import load, read  # noqa: PLC0415

    frozen = read(reference)
    return PandasDataset(
        df=load(frozen.uri, side=side), source=SluiceDatasetSource.of(frozen), targets=targets or frozen.label,
        name=name or frozen.name, digest=digest or frozen.digest[:DIGEST_DIGITS],
    )  # fmt: skip
