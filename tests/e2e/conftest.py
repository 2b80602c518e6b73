"""One offline AWS a test module, deployed from the synthesized templates, and what tests ask of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sluice.cli.target import Target
from sluice.ledger.model import Load, load_id
from sluice.local.cloud import LocalCloud


@dataclass(frozen=True)
class World:
    """A deployed pipeline as a user sees it: put files, wait, read tables and ledger."""

    cloud: LocalCloud
    target: Target

    def put(self, key: str, content: bytes | str) -> str:
        """Upload an object; return its load id."""
        body = content.encode() if isinstance(content, str) else content
        version = self.cloud.client("s3").put_object(Bucket=self.target.raw_bucket, Key=key, Body=body)["VersionId"]
        return load_id(self.target.raw_bucket, key, version)

    def load(self, key: str, identity: str) -> Load:
        """The ledger's record of a load, once the pipeline is at rest."""
        self.cloud.wait_until_quiet(120)
        found = self.target.ledger().find(key.partition("/")[0], identity)
        assert found is not None, f"{key} never reached the ledger"
        return found

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of a table, sorted, read by pyiceberg and not by our code."""
        found = self.target.catalog().load_table((self.target.database, table)).scan(selected_fields=columns)
        return sorted(tuple(row[column] for column in columns) for row in found.to_arrow().to_pylist())

    def executions(self, dataset: str) -> list[Any]:
        """The dataset's executions, oldest first."""
        return [run for run in self.cloud.executions() if run.name.startswith(f"{dataset}-")]

    def dead_letters(self) -> list[str]:
        """Bodies in the ingest queue's dead-letter queue; they stay there."""
        found = self.cloud.client("sqs").receive_message(
            QueueUrl=self.cloud.outputs["IngestDeadLetters"], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in found.get("Messages", [])]


@pytest.fixture(scope="module")
def world(assembly: Path) -> Iterator[World]:
    """A freshly deployed pipeline."""
    with LocalCloud(assembly) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        assert cloud.guard, "the policy evaluator is not installed: run `make setup`"
        yield World(cloud=cloud, target=Target.from_environment(os.environ))
        assert list(dict.fromkeys(cloud.guard.denied)) == [], "calls that AWS would have refused"
