"""cdk-nag 3: rule packs that run inside synthesis, as plugins of the CDK's own validation.

`python -m audit.nag PACK...` synthesizes into CDK_OUTDIR with the packs: templates for the other tools, and a report.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from app import ENVIRONMENTS
from audit.command import ROOT, answer_of
from audit.finding import Finding, Report, ToolError
from sluice.project import load_project
from stacks.compose import compose

if TYPE_CHECKING:
    import aws_cdk as cdk

# The name of a pack as it reports itself, of its class, and of its source.
PACKS = {
    "AwsSolutions": ("AwsSolutionsChecks", "aws-solutions"),
    "Serverless": ("ServerlessChecks", "serverless"),
    "HIPAA.Security": ("HIPAASecurityChecks", "hipaa-security"),
    "NIST.800.53.R5": ("NIST80053R5Checks", "nist-800-53-r5"),
    "PCI.DSS.321": ("PCIDSS321Checks", "pci-dss-321"),
}
_REPORT = "validation-report.json"


def synthesize(folder: Path, *, packs: Sequence[str], context: Mapping[str, str]) -> Sequence[Report]:
    """Synthesize the project into `folder`, with the context, and return what each pack found."""
    env = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)}
    answer_of([sys.executable, "-m", "audit.nag", *packs], fine=frozenset({0}), env=env)
    return reports(folder, packs=packs)


def reports(folder: Path, *, packs: Sequence[str]) -> Sequence[Report]:
    """Read what the packs found out of an assembly. Raises ToolError if one of them did not run."""
    said = {entry["pluginName"]: entry for entry in json.loads((folder / _REPORT).read_text())["pluginReports"]}
    if missing := set(packs) - said.keys():
        raise ToolError(f"cdk-nag did not run {', '.join(sorted(missing))}")
    return [
        Report(
            tool=f"cdk-nag {pack}",
            rules=_rules(pack),
            findings=[
                Finding(violation["ruleName"], construct["constructPath"], violation["description"])
                for violation in said[pack]["violations"]
                for construct in violation["violatingConstructs"]
            ],
        )
        for pack in packs
    ]


def _rules(pack: str) -> int:
    """Count the rules that a pack applies: it does not tell, so its source is asked."""
    package = find_spec("cdk_nag")
    assert package is not None  # noqa: S101  (a dependency of ours)
    assert package.origin is not None  # noqa: S101
    (archive,) = Path(package.origin).parent.glob("_jsii/*.tgz")
    with tarfile.open(archive) as parts:
        source = parts.extractfile(f"package/lib/packs/{PACKS[pack][1]}.js")
        assert source is not None  # noqa: S101
        return source.read().count(b"this.applyRule(")


def _watch(stage: cdk.App, packs: Sequence[str]) -> None:
    import cdk_nag  # noqa: PLC0415  (with the CDK, and after Node was chosen)
    from aws_cdk import Validations  # noqa: PLC0415

    Validations.of(stage).add_plugins(*(getattr(cdk_nag, PACKS[pack][0])(stage) for pack in packs))


def main(packs: Sequence[str]) -> int:
    """Synthesize. Findings are no failure here: whoever started this reads the report."""
    report = Path(os.environ["CDK_OUTDIR"]) / _REPORT
    report.unlink(missing_ok=True)
    try:
        compose(load_project(ROOT), environments=ENVIRONMENTS, before_synth=lambda stage: _watch(stage, packs))
    except RuntimeError:  # how the CDK says that there are findings
        if not report.exists():
            raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
