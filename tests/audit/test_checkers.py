"""Every checker finds what is planted for it, finds nothing that nobody answered for, and cannot fail in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import nag, sources, templates
from audit.assembly import Acknowledgement, Assembly
from audit.finding import Finding, Report, ToolError
from audit.judge import PROFILES, Verdict, judge, judge_all, unused
from audit.table import page
from stacks.acknowledged import METADATA

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]  # the first test waits for all the work

# A bucket without any protection, and a queue that is no queue.
PLANTED = {
    "Resources": {
        "Naked": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"AccessControl": "PublicRead"},
            "Metadata": {"aws:cdk:path": "planted/Naked/Resource"},
        },
        "Odd": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "soon"}},
    }
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted.template.json").write_text(json.dumps(PLANTED), encoding="utf-8")
    return Assembly(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def verdicts(folder: Path) -> list[Verdict]:
    return list(judge_all(folder))


def test_nothing_is_open(verdicts: list[Verdict]) -> None:
    assert not [f"{v.report.tool}, {v.profile}: {finding}" for v in verdicts for finding in v.open]


def test_every_acknowledgement_meets_a_finding(verdicts: list[Verdict], folder: Path) -> None:
    words = [word for profile in PROFILES for word in Assembly(folder / profile.name).acknowledgements]
    assert len(words) > 50
    assert not unused(verdicts, words)


def test_every_tool_ran_its_rules_on_both_profiles(verdicts: list[Verdict]) -> None:
    ran = {(v.report.tool, v.profile) for v in verdicts}
    packs = {(f"cdk-nag {pack}", profile.name) for profile in PROFILES for pack in profile.packs}
    template = {(tool, profile.name) for tool in ("cfn-lint", "checkov", "cfn-guard") for profile in PROFILES}
    assert ran == packs | template | {("bandit", "sources"), ("zizmor", "sources")}
    assert all(v.report.rules is None or v.report.rules >= 18 for v in verdicts)


def test_hardened_profile_needs_no_words_for_what_it_is_there_for(verdicts: list[Verdict]) -> None:
    accepted = {finding.rule for v in verdicts if v.profile == "hardened" for finding, _ in v.accepted}
    promised = {
        "AwsSolutions-S1",
        "CKV_AWS_117",
        "CKV_AWS_158",
        "CKV_AWS_173",
        "CKV_AWS_27",
        "CKV_AWS_26",
        "CKV_AWS_195",
    }
    places = {f.place for v in verdicts if v.profile == "hardened" for f, _ in v.accepted if f.rule in promised}
    assert {place.split("/")[1] for place in places} <= {"AccessLogs"}, accepted & promised


def test_page_names_every_tool_and_every_reason(verdicts: list[Verdict]) -> None:
    text = page(verdicts)
    assert all(f"| {v.report.tool} | {v.profile} |" in text for v in verdicts)
    assert all(words.reason in text for v in verdicts for _, words in v.accepted)


@pytest.mark.parametrize(
    ("tool", "rule"),
    [
        (templates.cfn_lint, "E3012"),
        (templates.checkov, "CKV_AWS_20"),
        (templates.cfn_guard, "s3_bucket_level_public_access_prohibited_check"),
    ],
)
def test_planted_bucket_is_found_at_its_construct(
    planted: Assembly, tool: Callable[[Assembly], Report], rule: str
) -> None:
    found = {finding.rule: finding for finding in tool(planted).findings}
    assert rule in found
    assert found[rule].place in ("planted/Naked/Resource", "Odd")
    assert len(found[rule].message) > 10


def test_bandit_finds_a_shell(tmp_path: Path) -> None:
    source = tmp_path / "planted.py"
    source.write_text(
        "import subprocess\n\n\ndef run(said):\n    subprocess.call(said, shell=True)\n", encoding="utf-8"
    )
    assert [(f.rule, f.place) for f in sources.bandit([source]).findings] == [("B602", f"{source}:5")]


def test_zizmor_finds_a_title_that_is_run_and_an_action_without_a_pin(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "planted.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: pull_request_target\njobs:\n  planted:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n      - run: echo ${{ github.event.pull_request.title }}\n",
        encoding="utf-8",
    )
    found = {finding.rule for finding in sources.zizmor(workflow.parent).findings}
    assert {"template-injection", "unpinned-uses", "dangerous-triggers"} <= found


def test_nag_finds_what_is_no_longer_acknowledged(verdicts: list[Verdict]) -> None:
    """The findings are real: without our words, the packs report them."""
    for pack in PROFILES[1].packs:
        (report,) = (v.report for v in verdicts if v.profile == "hardened" and v.report.tool == f"cdk-nag {pack}")
        assert report.findings
        assert judge("hardened", report, ()).open


def test_pack_that_did_not_run_is_an_error_and_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "validation-report.json").write_text('{"pluginReports": []}', encoding="utf-8")
    with pytest.raises(ToolError, match="AwsSolutions"):
        nag.reports(tmp_path, packs=["AwsSolutions"])


@pytest.mark.parametrize("tool", [templates.cfn_lint, templates.checkov, templates.cfn_guard])
def test_template_that_cannot_be_read_is_no_success(tmp_path: Path, tool: Callable[[Assembly], Report]) -> None:
    (tmp_path / "broken.template.json").write_text('{"Resources": {"A": ', encoding="utf-8")
    with pytest.raises((ToolError, ValueError)):
        tool(Assembly(tmp_path))


ANSWER = Acknowledgement(rule="AwsSolutions-IAM5[Resource::…/runs/*]", path="flow/Pipeline", reason="because")


@pytest.mark.parametrize(
    ("rule", "place", "covered"),
    [
        ("AwsSolutions-IAM5[Resource::lake:Arn/runs/*]", "flow/Pipeline/Claim/Role", True),
        ("AwsSolutions-IAM5[Resource::lake:Arn/runs/*]", "flow/PipelineOther", False),
        ("AwsSolutions-IAM5[Resource::lake:Arn/*]", "flow/Pipeline/Claim/Role", False),
        ("AwsSolutions-IAM5[Action::s3:*]", "flow/Pipeline", False),
    ],
)
def test_words_cover_their_rule_at_their_construct_and_below(rule: str, place: str, covered: bool) -> None:
    assert ANSWER.covers(Finding(rule, place, "")) is covered


def test_acknowledgement_that_meets_nothing_is_told(tmp_path: Path) -> None:
    metadata: dict[str, Any] = {"/flow": [{"type": METADATA, "data": {"X1": "why"}}, {"type": "aws:cdk:info"}]}
    (tmp_path / "flow.metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    words = Assembly(tmp_path).acknowledgements
    verdict = judge("default", Report(tool="t", rules=1, findings=[Finding("X1", "flow/A", "")]), words)
    assert (len(verdict.open), len(verdict.accepted), unused([verdict], words)) == (0, 1, [])
    assert unused([], words) == words
