"""Composition root: reads contracts, marts and settings, and makes the stacks. It makes no AWS call.

`cdk synth` runs it; so does `CDK_OUTDIR=cdk.out python app.py`, without the CDK's command line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sluice.errors import ContractError
from sluice.project import Project, load_project
from stacks.node import choose_node

if TYPE_CHECKING:
    import aws_cdk as cdk

ROOT = Path(__file__).parent


def main() -> int:
    """Synthesize. Answers 1, with what to mend on stderr, if a contract, mart or setting is wrong."""
    try:
        compose(load_project(ROOT))
    except ContractError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    return 0


def compose(project: Project, *, before_synth: Callable[[cdk.App], None] | None = None) -> None:
    """Make the stacks of one environment and write their templates. `before_synth` may look at them (`audit.nag`)."""
    choose_node(os.environ)
    # The CDK takes seconds to import: whoever edits a contract is told of a mistake before that.
    import aws_cdk as cdk  # noqa: PLC0415

    from stacks.assets import assemble  # noqa: PLC0415
    from stacks.flow import Flow  # noqa: PLC0415
    from stacks.hardened import harden  # noqa: PLC0415
    from stacks.lake import Lake  # noqa: PLC0415
    from stacks.settings import must_have_salt, settings_from  # noqa: PLC0415

    # The CDK's command line would add all this; without it somebody has to.
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context={**context, "aws:cdk:enable-path-metadata": True})
    settings = settings_from(app.node.try_get_context)
    must_have_salt(settings, project.plans)
    with TemporaryDirectory(prefix="sluice-assets-") as folder:
        assets = assemble(project, root=ROOT, target=Path(folder), packaged=settings.packaged)
        lake = Lake(app, f"{settings.name}-lake", settings=settings)
        flow = Flow(app, f"{settings.name}-flow", lake=lake, settings=settings, assets=assets, plans=project.plans)
        if settings.hardened:
            harden(lake, flow, settings=settings)
        for key, value in {"application": "sluice", "environment": settings.environment, **settings.tags}.items():
            cdk.Tags.of(app).add(key, value)
        if before_synth is not None:
            before_synth(app)
        app.synth()


if __name__ == "__main__":
    sys.exit(main())
