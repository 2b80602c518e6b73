"""Frozen versions in other people's tools: a model trained by Kubeflow, logged to MLflow, its data pulled by DVC.

Each tool is its own release in a process of its own (tools/mlops/.venv, made by `make tools`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import yaml

from sluice import frozen
from sluice.cli.demo import source
from sluice.cli.target import Target
from sluice.frozen import dvc
from sluice.local.cloud import LocalCloud

ROOT = Path(__file__).parents[2]
BIN = ROOT / "tools" / "mlops" / ".venv" / "bin"
HERE = Path(__file__).parent
ROWS = 3000

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (BIN / "dvc").exists(), reason="tools/mlops is not installed: run `make tools`"),
]


@dataclass(frozen=True)
class Story:
    """A lake with two frozen versions, before and after a file was corrected."""

    cloud: LocalCloud
    environment: Mapping[str, str]
    work: Path
    first: frozen.model.Frozen
    second: frozen.model.Frozen

    def run(self, *words: str | Path, cwd: Path | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            [str(word) for word in words], cwd=cwd or self.work, env=dict(self.environment), capture_output=True,
            text=True, check=False, timeout=300,
        )  # fmt: skip
        assert bool(done.returncode) == fails, f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def dvc(self, *words: str | Path, cwd: Path) -> str:
        return self.run(BIN / "dvc", *words, cwd=cwd)


@pytest.fixture(scope="module")
def story(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    work = tmp_path_factory.mktemp("mlops")
    with LocalCloud(assembly) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        target = Target.from_environment(os.environ)

        def put(key: str, body: bytes) -> None:
            cloud.client("s3").put_object(Bucket=target.raw_bucket, Key=key, Body=body)

        header, *lines = itertools.islice(source.year_of_flights().splitlines(keepends=True), ROWS + 1)
        for dataset in ("planes", "weather"):
            put(f"{dataset}/{dataset}.csv", source.reference_file(dataset).read_bytes())
        put("flights/2013-01.csv", header + b"".join(lines))
        cloud.wait_until_quiet(240)
        first = _freeze()
        put("flights/2013-01.csv", header + b"".join(lines[: ROWS - 500]))
        cloud.wait_until_quiet(240)
        second = _freeze()
        environment = {
            **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "MLFLOW_TRACKING_URI": f"sqlite:///{work}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "1",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.org", "HOME": str(work), "DVC_NO_ANALYTICS": "1",
        }  # fmt: skip
        yield Story(cloud=cloud, environment=environment, work=work, first=first, second=second)


def _freeze() -> frozen.model.Frozen:
    subprocess.run(
        [BIN.parents[3] / ".venv" / "bin" / "sluice", "freeze", "late_flights"], cwd=ROOT, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return frozen.read("late_flights@latest")


def test_a_model_and_its_run_name_the_version_and_the_version_names_the_run(story):
    said = {}
    for version in (story.first, story.second):
        folder = story.work / version.id
        folder.mkdir()
        out = story.run(BIN / "python", HERE / "train.py", f"late_flights@{version.id}", folder)
        said[version.id] = json.loads(out.strip().splitlines()[-1])
        assert said[version.id]["model"]["sluice_frozen"] == version.uri
        assert said[version.id]["model"]["sluice_digest"] == version.digest
        assert said[version.id]["identical"]
        assert said[version.id]["rows"] == version.rows
        assert said[version.id]["logged"] == {
            "name": "late_flights", "digest": version.digest[:32], "type": "sluice",
        }  # fmt: skip
        assert (folder / "late.yaml").read_text().count("load-frozen")
    references = [f"late_flights@{version.id}" for version in (story.first, story.second)]
    answers = json.loads(story.run(BIN / "python", HERE / "ask.py", *references).strip().splitlines()[-1])
    for version, reference in zip((story.first, story.second), references, strict=True):
        assert answers[reference] == {said[version.id]["run"]: [version.uri]}


def test_dvc_pulls_the_exact_object_version_of_each_commit(story):
    repository = story.work / "models"
    data = repository / "data"
    data.mkdir(parents=True)
    bucket = Target.from_environment(os.environ).lake_bucket
    story.run("git", "init", "-q", cwd=repository)
    story.dvc("init", "-q", cwd=repository)
    story.dvc("remote", "add", "sluice", f"s3://{bucket}/frozen", cwd=repository)
    story.dvc("remote", "modify", "sluice", "version_aware", "true", cwd=repository)
    story.dvc("remote", "modify", "--local", "sluice", "endpointurl", story.cloud.endpoint, cwd=repository)
    file = None
    for version in (story.first, story.second):
        file = dvc.write_dvc_file(version, bucket=bucket, folder=data)
        story.run("git", "add", "-A", cwd=repository)
        story.run("git", "commit", "-qm", version.id, cwd=repository)
    assert file is not None
    story.dvc("pull", "-q", cwd=repository)
    parquet = data / "late_flights.parquet"
    assert hashlib.sha256(parquet.read_bytes()).hexdigest() == story.second.files[0].sha256
    assert "No changes" in story.dvc("data", "status", cwd=repository)
    changed = json.loads(story.dvc("diff", "HEAD~1", "HEAD", "--json", cwd=repository))
    assert [one["path"] for one in changed["modified"]] == ["data/late_flights.parquet"]
    assert not changed["added"] + changed["deleted"]
    story.run("git", "checkout", "-q", "HEAD~1", cwd=repository)
    story.dvc("fetch", "-q", "--all-commits", cwd=repository)
    story.dvc("checkout", "-q", cwd=repository)
    assert hashlib.sha256(parquet.read_bytes()).hexdigest() == story.first.files[0].sha256
    got = story.work / "got.parquet"
    story.run("git", "checkout", "-q", "-", cwd=repository)
    story.dvc("get", "-q", repository, "data/late_flights.parquet", "--rev", "HEAD~1", "-o", got, cwd=story.work)
    assert hashlib.sha256(got.read_bytes()).hexdigest() == story.first.files[0].sha256


def test_the_stage_has_the_checksum_that_dvc_computes_for_it(story, tmp_path):
    file = dvc.write_dvc_file(story.first, bucket="lake", folder=tmp_path)
    program = (
        "import sys; from dvc.repo import Repo; from dvc.stage.utils import compute_md5\n"
        "(stage,) = Repo(sys.argv[1]).stage.load_file(sys.argv[2]); print(compute_md5(stage))"
    )
    story.run("git", "init", "-q", cwd=tmp_path)
    story.dvc("init", "-q", cwd=tmp_path)
    story.dvc("remote", "add", "sluice", "s3://lake/frozen", cwd=tmp_path)
    computed = story.run(BIN / "python", "-c", program, tmp_path, file, cwd=tmp_path).strip()
    assert yaml.safe_load(file.read_text())["md5"] == computed
