"""What is deployed runs with nothing beside it: each asset is resolved from the lock, fits, and does its work in
processes that find only the asset and what Lambda's runtime brings: from the bucket into a table and a mart, and after.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from sluice.cli.demo import source
from sluice.cli.target import Target as Names
from sluice.local.cloud import LocalCloud
from sluice.local.faults import Fault
from sluice.project import load_project
from stacks.assets import assemble
from stacks.packages import GLUE, GLUE_MODULES, LIMIT_MIB, PROVIDED, STAGES, Platform, install, package, size_of, wheels
from tests.deploy.ministack import ROOT

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]  # the first test waits for all the work

LOCK = ROOT / "requirements.lock"
HERE = Platform(python=platform.python_version(), platform=f"{platform.machine()}-manylinux_2_28")
FILES = 8  # of one partition: so many are worth a merger
CONTEXT = {"packaged": "true", "group_max_objects": "1"}  # each object becomes a file of its own
AIRLINES = "carrier,name\nAA,American Airlines Inc.\nUA,United Air Lines Inc.\n"
PROBE = """
import json, sys, time
task, provided, module = sys.argv[1:]
sys.path = [task, *sys.path, provided]
wall, cpu = time.perf_counter(), time.process_time()
__import__(module)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


@dataclass(frozen=True)
class Packaged:
    root: Path  # a project whose build/packages hold what this machine can run
    provided: Path  # what Lambda's runtime brings
    assets: dict[str, Path]  # by stage


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    root = tmp_path_factory.mktemp("project")
    for name in ("sluice", "stacks", "lambdas", "glue_jobs", "contracts", "marts", "cdk.json"):
        (root / name).symlink_to(ROOT / name)
    shutil.copyfile(ROOT / "app.py", root / "app.py")
    packages = root / "build" / "packages"
    made: dict[tuple[str, ...], Path] = {}
    for stage, names in STAGES.items():
        if names in made:
            (packages / stage).symlink_to(made[names])
        else:
            package(names, lock=LOCK, folder=packages / stage, target=HERE)
            made[names] = packages / stage
    wheels(GLUE_MODULES, lock=LOCK, folder=packages / "glue")
    provided = root / "provided"
    install(PROVIDED, lock=LOCK, folder=provided, target=HERE)
    assets = assemble(load_project(root), target=root / "assets", packaged=True)
    return Packaged(root, provided, {str(stage): folder for stage, folder in assets.functions.items()})


def test_every_asset_fits_with_its_code(tmp_path: Path) -> None:
    """For the runtime that they are deployed to, which is not this machine's."""
    code = assemble(load_project(ROOT), target=tmp_path / "code", packaged=False).functions
    sizes: dict[tuple[str, ...], int] = {}
    for stage, names in STAGES.items():
        if names not in sizes:
            folder = tmp_path / stage
            sizes[names] = package(names, lock=LOCK, folder=folder, target=Platform())
            built = {path.name for path in folder.rglob("*.so*") if "cpython" in path.name}
            assert all("cpython-313-aarch64" in name for name in built), built
        total = (sizes[names] + size_of(code[stage])) / (1 << 20)
        print(f"\n{stage:10} {total:6.1f} MiB of {LIMIT_MIB}", end="")
        assert total < 0.85 * LIMIT_MIB, stage


def test_imports_of_a_cold_start_are_few_times_those_of_an_empty_handler(packaged: Packaged, tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("def handler(event, context):\n    return {}\n", encoding="utf-8")
    _, base = cold(tmp_path, packaged.provided)
    print(f"\nempty handler: {base * 1000:.1f} ms CPU")
    for stage, asset in packaged.assets.items():
        wall, cpu = cold(asset, packaged.provided)
        print(f"{stage:10} {wall * 1000:6.0f} ms wall, {cpu * 1000:5.0f} ms CPU, {cpu / base:5.0f} times an empty one")
        assert cpu < 5, f"{stage} imports more than it needs"


def cold(asset: Path, provided: Path) -> tuple[float, float]:
    """Wall and CPU seconds of importing a handler in a fresh process, the best of three.

    No bytecode is kept, as on AWS, where an asset is read-only and comes without.
    """
    tries = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", PROBE, asset, provided, "handler"],
            env={"PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "eu-west-1", "POWERTOOLS_SERVICE_NAME": "probe",
                 "POWERTOOLS_METRICS_NAMESPACE": "Sluice"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        tries.append(json.loads(done.stdout))
    return min(wall for wall, _ in tries), min(cpu for _, cpu in tries)


@pytest.fixture(scope="module")
def cloud(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    out = tmp_path_factory.mktemp("packaged") / "cdk.out"
    environment = {**os.environ, "CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(CONTEXT)}
    subprocess.run([sys.executable, "app.py"], cwd=packaged.root, env=environment, check=True)
    with LocalCloud(out) as running, mock.patch.dict(os.environ, running.environment()):
        running.services.lambdas.packages = str(packaged.provided)
        yield running


def test_assets_alone_carry_a_file_into_a_table_and_its_mart(cloud: LocalCloud) -> None:
    names = Names.from_environment(os.environ)
    cloud.client("s3").put_object(Bucket=names.raw_bucket, Key="airlines/2013.csv", Body=AIRLINES.encode())
    cloud.wait_until_quiet(240)
    table = names.catalog().load_table((names.database, "airlines"))
    assert sorted(row["carrier"] for row in table.scan().to_arrow().to_pylist()) == ["AA", "UA"]
    assert stages_that_ran(cloud) == {"ingest", "claim", "transform", "publish", "settle", "refresh"}


def test_assets_alone_find_lost_files_and_merge_small_ones(cloud: LocalCloud) -> None:
    names = Names.from_environment(os.environ)
    header, *rows = itertools.islice(source.year_of_flights().splitlines(keepends=True), FILES + 1)
    cloud.inject(Fault(match=("sqs", "SendMessage"), times=1000))
    for number, row in enumerate(rows):
        cloud.client("s3").put_object(Bucket=names.raw_bucket, Key=f"flights/{number}.csv", Body=header + row)
    cloud.wait_until_quiet(240)
    cloud.gateway.faults.clear()
    assert list(names.ledger().loads("flights")) == []
    cloud.tick("reconcile")
    cloud.wait_until_quiet(240)
    assert [load.state for load in names.ledger().loads("flights")] == ["DONE"] * FILES
    before = flights(names)
    assert (before[0], len(before[1])) == (FILES, FILES)
    cloud.tick("MaintenanceSchedule")
    cloud.wait_until_quiet(240)
    assert flights(names) == (1, before[1])
    assert stages_that_ran(cloud) == set(STAGES)  # here and above


def flights(names: Names) -> tuple[int, list[tuple[str, int]]]:
    """How many files the table has, and where each of its rows is from."""
    scan = names.catalog().load_table((names.database, "flights")).scan()
    rows = sorted((row["_sluice_object"], row["flight"]) for row in scan.to_arrow().to_pylist())
    return len(list(scan.plan_files())), rows


def stages_that_ran(cloud: LocalCloud) -> set[str]:
    """By the name that a function goes by in its own environment. None of them may have failed."""
    assert not [invocation for invocation in cloud.invocations if invocation.failed]
    functions = {invocation.function for invocation in cloud.invocations}
    described = [cloud.client("lambda").get_function_configuration(FunctionName=name) for name in functions]
    return {one["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] for one in described}


def test_nothing_else_was_on_their_path(packaged: Packaged) -> None:
    """What is not in the asset cannot be imported, or the test above would show nothing."""
    for absent in ("pytest", "moto", "sqlglot"):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", PROBE, packaged.assets["ingest"], packaged.provided, absent],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "ModuleNotFoundError" in done.stderr, absent


def test_wheels_of_the_job_are_all_that_the_kernel_adds_to_glue(packaged: Packaged, tmp_path: Path) -> None:
    """Unpacked with the library, and beside them only what Glue itself brings."""
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" == GLUE.python or pytest.skip("Glue 5.1 runs Python 3.11")
    fetched = sorted((packaged.root / "build" / "packages" / "glue").glob("*.whl"))
    assert {wheel.name.partition("-")[0] for wheel in fetched} == {*GLUE_MODULES, "et_xmlfile"}
    for wheel in fetched:
        shutil.unpack_archive(wheel, tmp_path / "wheels", "zip")
    brought = tmp_path / "glue"
    brought.mkdir()
    site = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    for name in ("pyspark", "py4j", "pyarrow", "numpy", "pandas", "boto3", "botocore", "s3transfer", "jmespath",
                 "dateutil", "six.py", "urllib3"):  # fmt: skip
        (brought / name).symlink_to(site / name)
    code = (
        "import sys; library, wheels, glue, job = sys.argv[1:]; sys.path = [library, wheels, *sys.path, glue, job]\n"
        "import transform, duckdb, openpyxl, zstandard\n"
        "assert all(m.__file__.startswith(wheels) for m in (duckdb, openpyxl, zstandard))\n"
        "assert sys.modules['sluice.kernel.readers.read'].__file__.startswith(library)\n"
        "import pyarrow; print(duckdb.sql('SELECT 6 * 7').fetchone(), transform.parse(['--dataset', 'd', '--fence',"
        " '1', '--run_id', 'r', '--group', '0', '--lake_bucket', 'l', '--raw_bucket', 'b', '--JOB_NAME', 'x']).fence)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, packaged.root / "assets" / "sluice.zip", tmp_path / "wheels", brought,
         ROOT / "glue_jobs"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "(42,) 1\n"), done.stderr[-3000:]
