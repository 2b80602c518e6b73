"""`sluice demo`: put the parts of the demo together, from synthesis to the account."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from sluice.bundle import bundled
from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.new import TEMPLATE
from sluice.cli.screen import AsJson, emit, working

if TYPE_CHECKING:
    from sluice.cli.demo.report import Story
    from sluice.local.cloud import LocalCloud

# The year in one file is 31 MB and a month is under 3 MB. On AWS the default threshold is far higher.
_CONTEXT = {"lambda_max_bytes": "16000000", "ingest_window": "0"}


def demo(as_json: AsJson = False) -> None:
    """Send a year of flights through the whole pipeline, offline, and account for every row."""
    with answering(as_json=as_json):
        begun = time.monotonic()
        from sluice.cli.demo import report  # noqa: PLC0415  (Arrow, DuckDB, pyiceberg)

        with working("Starting") as progress:
            story = _play(progress, seconds=lambda: time.monotonic() - begun)
        if as_json:
            emit(report.document(story))
        else:
            report.tell(story)
        if not story.holds:
            raise typer.Exit(Exit.DATA)


def _play(progress: Callable[[str], None], *, seconds: Callable[[], float]) -> Story:
    from sluice.cli.demo.account import accounts  # noqa: PLC0415
    from sluice.cli.demo.proof import prove  # noqa: PLC0415
    from sluice.cli.demo.report import Story  # noqa: PLC0415
    from sluice.cli.demo.scenario import play  # noqa: PLC0415
    from sluice.cli.frames import select  # noqa: PLC0415
    from sluice.cli.offline import offline_aws  # noqa: PLC0415
    from sluice.cli.target import Target  # noqa: PLC0415
    from sluice.project import load_project  # noqa: PLC0415

    with (
        TemporaryDirectory(prefix="sluice-demo-") as scratch,
        offline_aws(project := _project(Path(scratch)), progress=progress, context=_CONTEXT) as cloud,
        _exported(cloud.environment()),
    ):
        found = load_project(project)
        target = Target.from_environment(os.environ)
        deployed = seconds()
        sent = play(cloud, target, progress=progress)
        arrived = seconds()
        _none_failed(cloud)
        work, calls = cloud.work(), len(cloud.calls)
        progress("Asking the marts through Athena")
        marts = {mart.name: select(target, f"SELECT * FROM {mart.name}") for mart in found.marts}
        progress("Reading every table back")
        settled = {account.plan.dataset: account for account in accounts(target, found.plans.values())}
        progress("Checking every claim")
        checks = prove(
            sent, settled, marts=marts, s3=cloud.client("s3"), raw_bucket=target.raw_bucket, scratch=Path(scratch)
        )
        return Story(
            accounts=settled,
            marts=marts,
            checks=tuple(checks),
            work=work,
            calls=calls,
            deploy_seconds=deployed,
            load_seconds=arrived - deployed,
            seconds=seconds(),
        )


def _project(folder: Path) -> Path:
    """Make the demo's project: the app of a new one, with the contracts and marts that travel with Sluice."""
    for name in ("contracts", "marts"):
        shutil.copytree(bundled(name), folder / name, ignore=shutil.ignore_patterns("released"))
    shutil.copyfile(TEMPLATE / "app.py", folder / "app.py")
    return folder


def _none_failed(cloud: LocalCloud) -> None:
    failed = [execution for execution in cloud.executions() if execution.status != "SUCCEEDED"]
    if failed:
        executions = "; ".join(f"{one.name}: {one.error} {one.cause[:200]}" for one in failed)
        logs = "".join(
            f"\n{_last_words(cloud, name)}" for name in sorted({i.function for i in cloud.invocations if i.failed})
        )
        raise CommandError(
            f"{len(failed)} executions of state machines did not succeed: {executions}.{logs}",
            how="Nothing in the demo should fail: report it with this message.",
            code=Exit.INFRASTRUCTURE,
        )


def _last_words(cloud: LocalCloud, function: str) -> str:
    lines = [line for line in cloud.logs(function).splitlines() if "Error" in line]
    return f"{function}: {lines[-1].strip()[:500] if lines else 'no error in its log'}"


@contextmanager
def _exported(environment: Mapping[str, str]) -> Iterator[None]:
    """Set the process's environment for the SDKs in the block, as a shell would after `sluice up`."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
