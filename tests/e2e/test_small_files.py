"""Many small files at once become few runs, few commits and few files."""

from __future__ import annotations

import pytest

from benchmarks.small_files import MONTHS, ROWS, measure

pytestmark = pytest.mark.proof

FILES = 300
PAYLOAD_LIMIT = 256 * 1024  # of Step Functions


@pytest.mark.timeout(900)
def test_small_files_are_batched(world):
    found = measure(world.cloud, FILES)
    assert (found.loaded, found.rows) == (FILES, ROWS * FILES)
    assert found.runs <= FILES / 20, "far below one run a file"
    assert found.snapshots <= found.runs
    assert found.data_files <= MONTHS * found.runs, "one file a month and run"
    assert found.calls["s3.ListObjectVersions"] <= FILES / 10
    assert found.largest_payload < PAYLOAD_LIMIT / 10
