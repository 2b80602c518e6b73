"""What jobs of Spark, EMR and Glue really do to a bucket when they commit: only the rows that they wrote are there.

The steps are those of Hadoop's FileOutputCommitter (algorithms 1 and 2), of the S3A committers (magic, directory) and
of a dynamic overwrite: files under temporary names that are copied, deleted, and marked. Every step tells an event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sluice.stages.doctor import unknown_keys
from tests.stage.core_world import ITEMS, MERGED, World, csv
from tests.stage.moto_server import moto_server
from tests.stage.test_doctor import look

DAY = "2024-01-10"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


class Job:
    """A job that writes one file of one row; `told` are the events of all that it does."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.told = world, list[str]()
        self.body = csv((number, DAY, number))
        self.name = f"part-00000-{number}.csv"

    def put(self, name: str, body: str = "") -> None:
        self.told.append(self.world.put(name, body))

    def rename(self, old: str, new: str) -> None:
        self.put(new, self.body)
        self.told.append(self.world.delete(old))

    def v1(self) -> None:
        self.put("_temporary_$folder$")
        self.put(f"_temporary/0/_temporary/attempt_1/{self.name}", self.body)
        self.rename(f"_temporary/0/_temporary/attempt_1/{self.name}", f"_temporary/0/task_1/{self.name}")
        self.rename(f"_temporary/0/task_1/{self.name}", self.name)
        self.put("_SUCCESS")

    def v2(self) -> None:
        self.put(f"_temporary/0/_temporary/attempt_1/{self.name}", self.body)
        self.put(f"_temporary/0/_temporary/attempt_1/.{self.name}.crc", "crc\0")
        self.rename(f"_temporary/0/_temporary/attempt_1/{self.name}", self.name)
        self.put("_SUCCESS")

    def magic(self) -> None:
        self.put(f"__magic_job-1/tasks/attempt_1/__base/{self.name}")
        self.put(f"__magic_job-1/tasks/attempt_1/__base/{self.name}.pending", json.dumps({"uploadId": "1"}))
        self.put("__magic_job-1/task_1.pendingset", json.dumps({"commits": []}))
        self.put(self.name, self.body)
        self.put("_SUCCESS", json.dumps({"name": "org.apache.hadoop.fs.s3a.commit.files.SuccessData/1"}))

    def directory(self) -> None:
        self.put(self.name, self.body)
        self.put("_SUCCESS", json.dumps({"committer": "directory"}))

    def dynamic(self) -> None:
        self.put(f".spark-staging-1/{self.name}", self.body)
        self.rename(f".spark-staging-1/{self.name}", self.name)
        self.put("_started_1", "{}")
        self.put(f"_committed_{self.name}", json.dumps({"added": [self.name]}))
        self.put("_SUCCESS")


PROTOCOLS: tuple[Callable[[Job], None], ...] = (Job.v1, Job.v2, Job.magic, Job.directory, Job.dynamic)


def ids(world: World) -> list[int]:
    table = world.services.catalog.load_table((world.settings.database, world.plan.dataset)).scan().to_arrow()
    return sorted(table.column("id").to_pylist())


@pytest.mark.proof
@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_rows_of_jobs_are_there_once_and_their_markers_change_nothing(endpoint: str, mode: Any) -> None:
    world = World(endpoint, replace(MERGED if mode == "merge" else ITEMS, mode=mode, sequence_by=None))
    for number, protocol in enumerate(PROTOCOLS, start=1):
        job = Job(world, number)
        protocol(job)
        done = world.ingest(*job.told, *job.told)  # each event twice
        assert (done.registered, done.unknown) == (1, ())
        world.run()
        assert ids(world) == ([number] if mode == "replace" else list(range(1, number + 1))), protocol.__name__
    assert world.rejects() == []
    assert not world.reconcile().registered
    found = look(world)
    assert found.holds
    passed = next(finding for finding in found.findings if finding.check == "keys that are passed over")
    assert any("_SUCCESS" in sample for sample in passed.samples)
    assert passed.count > 10


def test_keys_that_a_contract_excludes_later_leave_the_table_by_the_reconciler(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))), world.put("archive/b.csv", csv((2, DAY, 2))))
    assert ids(world) == [1, 2]
    world.plan = replace(world.plan, exclude=("archive/**",))
    assert world.reconcile().gone == 1
    world.run()
    assert ids(world) == [1]
    world.plan = replace(world.plan, exclude=())
    assert world.reconcile().reopened == 1
    world.run()
    assert ids(world) == [1, 2]


def test_a_file_of_no_dataset_is_told_with_the_name_that_was_meant_and_hidden_ones_are_not(endpoint: str) -> None:
    world = World(endpoint)
    keys = ("Items/a.csv", "top.csv", "_logs/a.csv", ".DS_Store", "items/b.csv")
    for key in keys:
        world.raw.put_object(Bucket=world.settings.raw_bucket, Key=key, Body=b"x")
    done = world.ingest(*(world.event(key, "v", size=1) for key in keys))
    assert (done.unknown, done.passed_over, done.registered) == (("Items/a.csv", "top.csv"), keys[2:4], 1)
    found = unknown_keys(world.services.s3, bucket=world.settings.raw_bucket, datasets=["items", "orders"])
    assert (found.count, found.holds) == (2, False)
    assert set(found.samples) == {"Items/a.csv: did you mean items/?", "top.csv"}
