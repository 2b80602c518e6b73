"""Object keys are what strangers typed: each is a name and nothing else, from the event to the row.

moto cannot list keys with control characters; `tests/unit/test_shown_text.py` has those.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stage.core_world import World, csv
from tests.stage.moto_server import moto_server

KEYS = (
    "../../../../tmp/sluice-climbed.csv",
    "a/../../b.csv",
    "//etc/passwd",
    "a'; DROP TABLE examined; --.csv",
    'a" UNION SELECT 1 --.csv',
    "\u202evsc.exe",
    "a\u200b\u2066.csv",
    "%2e%2e%2fb.csv",
    "a+b c?versionId=x&y#z.csv",
    "~/ssh/authorized_keys",
    "*.csv",
    "x" * 900 + ".csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with moto_server() as endpoint:
        yield World(endpoint)


def test_any_key_is_loaded_under_its_own_name_and_touches_no_other_file(world: World) -> None:
    world.load(*(world.put(key, csv((number, "2024-01-10", 1))) for number, key in enumerate(KEYS, start=1)))
    table = world.services.catalog.load_table((world.settings.database, world.plan.dataset)).scan().to_arrow()
    loaded = {row["id"]: row["_sluice_object"] for row in table.to_pylist()}
    assert loaded == {number: f"items/{key}" for number, key in enumerate(KEYS, start=1)}
    assert not Path("/tmp/sluice-climbed.csv").exists()  # noqa: S108  (where the first key points)


def test_hostile_key_of_a_refused_file_is_only_a_name_in_the_rejects(world: World) -> None:
    world.load(*(world.put(f"no/{key}", "not,the,header\n1,2,3\n") for key in KEYS))
    assert {row["object"] for row in world.rejects()} == {f"items/no/{key}" for key in KEYS}
