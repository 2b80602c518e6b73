"""Composition root: reads settings, contracts and marts, and makes the stacks. It makes no AWS call.

`cdk synth` runs it; so does `CDK_OUTDIR=cdk.out python app.py`, without the CDK's command line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from stacks.node import choose_node

choose_node(os.environ)

import aws_cdk as cdk

from sluice.errors import ContractError
from sluice.project import load_project
from stacks.assets import assemble
from stacks.flow import Flow
from stacks.lake import Lake
from stacks.settings import settings_from

ROOT = Path(__file__).parent


def main() -> int:
    """Synthesize. Answers 1, with what to mend on stderr, if a contract, mart or setting is wrong."""
    # The CDK's command line would pass these on; without it somebody has to.
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"])
    try:
        settings = settings_from(app.node.try_get_context)
        project = load_project(ROOT)
        with TemporaryDirectory(prefix="sluice-assets-") as folder:
            assets = assemble(project, root=ROOT, target=Path(folder), packaged=settings.packaged)
            lake = Lake(app, f"{settings.name}-lake", settings=settings)
            Flow(app, f"{settings.name}-flow", lake=lake, settings=settings, assets=assets)
            for key, value in {"application": "sluice", "environment": settings.environment, **settings.tags}.items():
                cdk.Tags.of(app).add(key, value)
            app.synth()
    except ContractError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
