"""A stranger with the wheel and an empty folder: a file of theirs becomes a table and a mart offline. Then their
project is packaged, and deployed by the CDK's command line. Nothing of this checkout is on any path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sluice.bundle import release
from tests.deploy.ministack import ROOT, Ministack, ministack

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("wheel"),
    pytest.mark.skipif(
        "SLUICE_WHEEL" not in os.environ,
        reason="ten minutes and a package index: set SLUICE_WHEEL=1 to install the wheel",
    ),
]

UV = str(Path(sys.executable).with_name("uv"))
TRIPS = (
    "trip_id,begun_at,kind,metres\n1,2026-11-29T08:00:00Z,bike,900\n"
    "2,2026-11-30T09:30:00Z,foot,120\n3,2026-11-30T10:00:00Z,bike,4100\n"
)
# Where files of the checkout are in the wheel: a pattern of the checkout, and what takes the place of its beginning.
MOVED = (
    (r"sluice/.*\.py|sluice/py\.typed|sluice/cli/new/template/.*", "", ""),
    (r"stacks/.*\.py|stacks/py\.typed", "stacks/", "sluice_deploy/"),
    (
        r"(lambdas|glue_jobs|marts|tools/cdk)/.*|contracts/[^/]*\.yaml|requirements\.lock|tools/evaluator/[pd].*",
        "",
        "sluice_deploy/bundle/",
    ),
)


@dataclass
class Stranger:
    """An empty folder with a virtual environment, and nothing of ours in its environment."""

    folder: Path
    wheel: Path
    environment: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.folder / "my-lake"

    def run(self, command: str, *, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Type a command; what it took is remembered under its text."""
        begun = time.monotonic()
        done = subprocess.run(  # noqa: S602  (as it is typed)
            command, shell=True, cwd=cwd or self.project, env={**self.environment, **more},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.seconds[command] = time.monotonic() - begun
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist as a package index would have it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([UV, "build", "--quiet", "--out-dir", folder, ROOT], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "trips.csv").write_text(TRIPS)
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"} and "PYTEST" not in k}
    environment |= {"PATH": f"{folder}/.venv/bin:{environment['PATH']}", "XDG_CACHE_HOME": str(folder / "cache")}
    environment |= {"UV_CACHE_DIR": str(folder / "uv")}  # what it takes without anything fetched before
    one = Stranger(folder, wheel, environment)
    one.run(f"{UV} venv --quiet --python {sys.executable} .venv", cwd=folder)
    yield one
    shutil.rmtree(folder / "uv", ignore_errors=True)


@pytest.fixture(scope="module")
def arrived(stranger: Stranger) -> Iterator[Stranger]:
    """The stranger after four commands: install, make a project of a file, start the offline AWS, put the file."""
    stranger.run(f"{UV} pip install --quiet '{stranger.wheel}[local]'", cwd=stranger.folder)
    stranger.run("sluice new my-lake --file trips.csv", cwd=stranger.folder)
    begun = time.monotonic()
    with (
        (stranger.folder / "up.log").open("w") as log,
        subprocess.Popen(["sluice", "up", "--json"], cwd=stranger.project, env=stranger.environment, text=True,
                         executable=stranger.folder / ".venv/bin/sluice", stdout=subprocess.PIPE, stderr=log) as up,
    ):  # fmt: skip
        try:
            assert up.stdout is not None
            assert up.stdout.readline(), (stranger.folder / "up.log").read_text()
            stranger.seconds["sluice up"] = time.monotonic() - begun
            stranger.run("sluice put trips samples/trips/trips.csv")
            yield stranger
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(timeout=60)


def test_wheel_holds_every_file_that_a_project_needs_and_no_other(wheel: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wanted = {
        into + path.removeprefix(away)
        for path in tracked
        for pattern, away, into in MOVED
        if re.fullmatch(pattern, path)
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not re.match(r"[^/]*\.dist-info/", name)}
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        metadata = archive.read(f"sluice-{release()}.dist-info/METADATA").decode()
    assert names == wanted
    assert len(licences) == 1
    assert "License-Expression: Apache-2.0" in metadata
    print(f"\nwheel: {len(names)} files, {wheel.stat().st_size / 1e6:.1f} MB")


def test_four_commands_make_a_table_and_a_mart_of_a_strangers_file_in_three_minutes(arrived: Stranger) -> None:
    deadline = time.monotonic() + 60
    while True:  # the mart follows its table by some seconds
        try:
            said = arrived.run("sluice query 'SELECT * FROM trips_summary ORDER BY 1' --json").stdout
            break
        except AssertionError:
            if time.monotonic() > deadline:
                raise
    assert [row["rows_loaded"] for row in json.loads(said)["rows"]] == [1, 2]
    typed = {command.replace(str(arrived.wheel.parent), ""): seconds for command, seconds in arrived.seconds.items()}
    print("".join(f"\n{seconds:6.1f} s  {command[-90:]}" for command, seconds in typed.items()))
    assert sum(typed.values()) < 180


def test_project_made_of_the_file_passes_its_own_test(arrived: Stranger) -> None:
    arrived.run(f"{UV} pip install --quiet pytest", cwd=arrived.folder)
    assert "2 passed" in arrived.run("python -m pytest -q").stdout


def test_nothing_of_the_checkout_was_used(arrived: Stranger) -> None:
    code = "import sluice, sluice_deploy; from sluice.bundle import home; print(sluice, sluice_deploy, home())"
    said = arrived.run(f'python -c "{code}"').stdout
    assert said.count(str(arrived.folder)) == 3
    assert str(ROOT) not in said


def test_project_is_packaged_deployed_changed_and_destroyed_by_the_real_cdk(arrived: Stranger, tmp_path: Path) -> None:
    sizes = arrived.run("sluice package").stdout
    assert re.findall(r"^(\w+) +[\d.]+ MiB", sizes, re.MULTILINE) == [
        "ingest", "reconcile", "claim", "transform", "publish", "settle", "refresh", "maintain", "glue",
    ]  # fmt: skip
    with ministack(tmp_path) as aws:
        deployed(arrived, aws)
    print(sizes)
    print("".join(f"\n{arrived.seconds[command]:6.1f} s  {command}" for command in list(arrived.seconds)[-6:]))


def deployed(stranger: Stranger, aws: Ministack) -> None:
    place = {**aws.environment, "HOME": stranger.environment.get("HOME", ""), "PATH": stranger.environment["PATH"]}
    stranger.run("sluice bootstrap", **place)
    outputs = json.loads(stranger.run("sluice deploy --yes --json", **place).stdout)["outputs"]
    assert set(outputs) == {"sluice-dev-lake", "sluice-dev-flow"}
    functions = aws.client("lambda").list_functions()["Functions"]
    assert max(function["CodeSize"] for function in functions) > 20_000_000  # with the packages
    unchanged = stranger.run("sluice changes", **place)
    assert "Number of stacks with differences: 0" in unchanged.stdout + unchanged.stderr
    again = json.loads(stranger.run("sluice deploy --yes --json -c log_days=30", **place).stdout)
    assert again["outputs"] == outputs
    stranger.run("sluice destroy --yes", **place)
    assert not aws.client("lambda").list_functions()["Functions"]
    assert outputs["sluice-dev-lake"]["RawBucket"] in [b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]]
