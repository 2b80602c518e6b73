"""Composition root: makes the stacks of one environment of a project. It makes no AWS call.

A project's `app.py` calls `main`. `cdk synth` runs that file; so does `CDK_OUTDIR=cdk.out python app.py`, without the
CDK's command line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sluice.errors import ContractError
from sluice.node import choose_node
from sluice.project import Project, load_project

from .settings import Settings, settings_from, with_salt

if TYPE_CHECKING:
    import aws_cdk as cdk

# The templates depend on these: they belong to Sluice and not to the cdk.json of a project, which may add more.
_FLAGS: Mapping[str, Any] = MappingProxyType(
    {
        "@aws-cdk/core:checkSecretUsage": True,
        "@aws-cdk/core:defaultCrossStackReferences": "strong",
        "@aws-cdk/core:target-partitions": ["aws"],
        "aws:cdk:enable-path-metadata": True,  # the CDK's command line would add it
    }
)


def main(app: str, *, environments: Sequence[Settings]) -> int:
    """Synthesize the project in the folder of the file `app`.

    Args:
        app: `__file__` of the project's `app.py`.
        environments: where the project may be deployed; context `env` chooses one by its name.

    Returns:
        0, or 1 after a message on stderr if a contract, mart or setting is wrong.
    """
    try:
        compose(load_project(Path(app).resolve().parent), environments=environments)
    except ContractError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name not in {"aws_cdk", "constructs"}:
            raise
        print(f"sluice: {error.name} is not installed. Remedy: pip install 'sluice[deploy]'", file=sys.stderr)
        return 1
    return 0


def compose(
    project: Project, *, environments: Sequence[Settings], before_synth: Callable[[cdk.App], None] | None = None
) -> None:
    """Make the stacks of one environment and write their templates.

    Args:
        project: contracts and marts, compiled.
        environments: where the project may be deployed; context `env` chooses one by its name.
        before_synth: may look at the finished stacks (`audit.nag`).

    Raises:
        ContractError: a setting is wrong.
    """
    choose_node(os.environ)
    # The CDK takes seconds to import: whoever edits a contract is told of a mistake before that.
    import aws_cdk as cdk  # noqa: PLC0415

    from .assets import assemble  # noqa: PLC0415
    from .flow import Flow  # noqa: PLC0415
    from .hardened import harden  # noqa: PLC0415
    from .lake import Lake  # noqa: PLC0415
    from .lake_formation import govern  # noqa: PLC0415

    app = cdk.App(context={**_FLAGS, **_context_of(project.root)})
    offline = bool(app.node.try_get_context("offline"))
    settings = with_salt(settings_from(app.node.try_get_context, environments), project.plans, offline=offline)
    with TemporaryDirectory(prefix="sluice-assets-") as folder:
        assets = assemble(project, target=Path(folder), packaged=settings.packaged)
        lake = Lake(app, f"{settings.name}-lake", settings=settings)
        flow = Flow(app, f"{settings.name}-flow", lake=lake, settings=settings, assets=assets, plans=project.plans)
        if settings.hardened:
            harden(lake, flow, settings=settings)
        if settings.lake_formation:
            govern(lake, flow, settings=settings)
        for key, value in {"application": "sluice", "environment": settings.environment, **settings.tags}.items():
            cdk.Tags.of(app).add(key, value)
        if before_synth is not None:
            before_synth(app)
        app.synth()


def _context_of(project: Path) -> Mapping[str, Any]:
    """Read the context of the project's cdk.json. The CDK's command line would add it; without it we have to."""
    path = project / "cdk.json"
    if not path.is_file():
        return {}
    context: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("context", {})
    return context
