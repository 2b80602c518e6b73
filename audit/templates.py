"""Checkers that read the templates: cfn-lint, checkov, cfn-guard."""

from __future__ import annotations

import json
import platform
import re
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from audit.assembly import Assembly
from audit.command import BIN, ROOT, answer_of, json_of
from audit.finding import Finding, Report, ToolError

_CHECKOV = ROOT / "tools" / "checkov" / ".venv" / "bin" / "checkov"
_ANY_FINDING = frozenset({0, 2, 4, 6, 8, 10, 12, 14})  # cfn-lint: a bit for errors, warnings, information each
_GUARD_FOUND = 19


def cfn_lint(assembly: Assembly) -> Report:
    """Types, properties and values against CloudFormation's own schemas."""
    tool = BIN / "cfn-lint"
    said = json_of([tool, "--format", "json", "--", *assembly.templates], fine=_ANY_FINDING)
    rules = answer_of([tool, "--list-rules"], fine=frozenset({0}))
    return Report(
        tool="cfn-lint",
        rules=len(set(re.findall(r"^[EWI]\d{4}", rules, re.MULTILINE))),
        findings=[
            Finding(
                match["Rule"]["Id"],
                assembly.construct(Path(match["Filename"]), [*(match["Location"]["Path"] or []), "", ""][1]),
                match["Message"],
            )
            for match in said
        ],
    )


def checkov(assembly: Assembly) -> Report:
    """Prisma's policies for CloudFormation. `rules` are those that met a resource."""
    if not _CHECKOV.exists():
        raise ToolError("checkov is not installed: run make tools")
    places = [word for template in assembly.templates for word in ("--file", str(template))]
    command = [
        str(_CHECKOV), "--skip-download", "--framework", "cloudformation", "--output", "json", "--compact", *places,
    ]  # fmt: skip
    said = json_of(command, fine=frozenset({0, 1}))
    results = said["results"]
    if said["summary"]["parsing_errors"]:
        raise ToolError(f"checkov could not read {said['summary']['parsing_errors']} templates")
    return Report(
        tool="checkov",
        rules=len({check["check_id"] for check in (*results["passed_checks"], *results["failed_checks"])}),
        findings=[
            Finding(
                check["check_id"],
                assembly.construct(Path(check["file_path"]), check["resource"].rpartition(".")[2]),
                check["check_name"],
            )
            for check in results["failed_checks"]
        ],
    )


def cfn_guard(assembly: Assembly) -> Report:
    """The rules of AWS Control Tower for CloudFormation, run by cfn-guard. `rules` are those that met a resource."""
    with tempfile.TemporaryDirectory(prefix="sluice-guard-") as folder:
        binary, rules = _guard(Path(folder))
        command: list[str | Path] = [binary, "validate", "--structured", "--output-format", "json"]
        command += ["--show-summary", "none", "--rules", rules, "--data", *assembly.templates]
        said = json_of(command, fine=frozenset({0, _GUARD_FOUND}))
    return Report(
        tool="cfn-guard",
        rules=len({name for file in said for name in (*file["compliant"], *_names(_broken(file)))}),
        findings=[finding for file in said for finding in _guard_findings(file, assembly)],
    )  # fmt: skip


def _names(broken: Sequence[dict[str, Any]]) -> Iterator[str]:
    return (entry["Rule"]["name"] for entry in broken)


def _broken(file: dict[str, Any]) -> Sequence[dict[str, Any]]:
    broken: Sequence[dict[str, Any]] = file["not_compliant"]
    return broken


def _guard_findings(file: dict[str, Any], assembly: Assembly) -> Iterator[Finding]:
    """A rule tells of each clause that it tried; what is wanted is each resource once, and the remedy."""
    for entry in _broken(file):
        rule = entry["Rule"]
        text = json.dumps(rule)
        remedy = re.search(r"\[FIX\]: *((?:[^\\]|\\[^n])+)", text)
        for logical_id in sorted(set(re.findall(r'"/Resources/(\w+)', text))) or [""]:
            yield Finding(
                rule["name"],
                assembly.construct(Path(file["name"]), logical_id),
                remedy[1].strip() if remedy else "see the rule",
            )


def _guard(folder: Path) -> tuple[Path, Path]:
    """Take the binary and the rules out of the package that carries them for the CDK."""
    package = find_spec("cdklabs.cdk_validator_cfnguard")
    assert package is not None  # noqa: S101  (a dependency of ours)
    assert package.origin is not None  # noqa: S101
    (archive,) = Path(package.origin).parent.glob("_jsii/*.tgz")
    system = {"Linux": "ubuntu", "Darwin": "macos"}[platform.system()]
    machine = {"x86_64": "x86_64", "AMD64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}[platform.machine()]
    with tarfile.open(archive) as parts:
        wanted = (f"package/bin/{system}/{machine}/", "package/rules/")
        parts.extractall(folder, [m for m in parts.getmembers() if m.name.startswith(wanted)], filter="data")
    binary = folder / "package" / "bin" / system / machine / "cfn-guard"
    binary.chmod(0o700)
    return binary, folder / "package" / "rules" / "control-tower" / "cfn-guard"
