"""Every grant is needed, every need is granted: the whole offline flow, its failures included, against the policies.

One run of everything that the stacks can do, on little data; then the report of grants that no call used, and each
grant taken away in turn.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from sluice.cli.demo import source
from sluice.cli.target import Target
from sluice.ledger.model import load_id
from sluice.local.cloud import LocalCloud
from sluice.local.permissions.evaluator import Evaluator
from sluice.local.permissions.grants import Grant, grants, missed, unused
from sluice.local.permissions.guard import ALLOWED, AccessDecision, Guard, question
from sluice.local.permissions.needs import Need
from sluice.local.permissions.policies import EVERYTHING, Identity, PolicyDocument, as_list, resource_policy
from sluice.local.principals import ACCOUNT, ADMINISTRATOR
from tests.e2e.whole_flow import SETTINGS, do_everything

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200), pytest.mark.xdist_group("least_privilege")]


@dataclass(frozen=True)
class Reason:
    """Why some actions of a role are granted that nothing here uses."""

    role: str
    actions: tuple[str, ...]
    within: str

    def covers(self, run: Run, grant: Grant) -> bool:
        role, action = run.name(grant)
        return role == self.role and action in self.actions and self.within in grant.resource


@dataclass(frozen=True)
class Run:
    """What was granted, and what was asked while everything ran."""

    cloud: LocalCloud
    guard: Guard
    grants: Sequence[Grant]
    decisions: Sequence[AccessDecision]
    reasons: Sequence[Reason]

    def name(self, grant: Grant) -> tuple[str, str]:
        return self.guard.paths[grant.role], grant.action


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("least") / "cdk.out"
    environ = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(SETTINGS)}
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environ, check=True)
    with LocalCloud(folder) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        assert cloud.guard, "the policy evaluator is not installed: run `make setup`"
        do_everything(cloud, Target.from_environment(os.environ))
        decisions = [decision for decision in cloud.guard.decisions if decision.principal.startswith("arn:")]
        yield Run(
            cloud=cloud, guard=cloud.guard, grants=grants(ACCOUNT), decisions=decisions, reasons=list(reasons(folder))
        )  # fmt: skip


def reasons(assembly: Path) -> Iterator[Reason]:
    """What the constructs say of grants that nothing offline uses."""
    for file in [*assembly.glob("*.metadata.json"), assembly / "manifest.json"]:
        document = json.loads(file.read_text(encoding="utf-8"))
        metadata = [document, *(artifact.get("metadata", {}) for artifact in document.get("artifacts", {}).values())]
        for path, entries in ((path, found) for part in metadata for path, found in part.items()):
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and entry.get("type") == "sluice:unseen":
                    role, said = path.strip("/").partition("/")[2], entry["data"]
                    assert said["reason"]
                    yield Reason(role=role, actions=tuple(said["actions"]), within=said["within"])


def test_nothing_that_was_asked_was_refused(run: Run) -> None:
    assert list(dict.fromkeys(run.guard.denied)) == []


def test_every_grant_was_used_or_says_why_not(run: Run) -> None:
    idle = unused(run.grants, run.decisions)
    explained = {grant for grant in idle if any(reason.covers(run, grant) for reason in run.reasons)}
    unexplained = [(*run.name(grant), grant.resource) for grant in idle if grant not in explained]
    listed = "\n".join(map(str, unexplained))
    assert not unexplained, f"nothing used these grants: take them away, or explain them with access.unseen\n{listed}"
    stale = [reason for reason in run.reasons if not any(reason.covers(run, grant) for grant in idle)]
    assert stale == [], "these explain no grant that is unused"
    print(f"\n{len(run.grants)} grants, {len(run.grants) - len(idle)} used, {len(idle)} explained, 0 unexplained")


def test_no_grant_can_be_taken_away_unnoticed(run: Run) -> None:
    evaluator, idle = Evaluator(), set(unused(run.grants, run.decisions))
    place = {"evaluator": evaluator, "account": ACCOUNT, "region": run.cloud.region}
    taken = [grant for grant in run.grants if grant not in idle]
    unnoticed = [run.name(grant) for grant in taken if not missed(grant, run.decisions, **place)]
    assert len(taken) > 100
    assert unnoticed == []
    kinds = {(decision.principal, decision.action, decision.resource) for decision in run.decisions}
    print(f"\n{len(taken)} grants taken away, {len(taken) - len(unnoticed)} missed, by {len(kinds)} distinct decisions")


def doors(run: Run) -> Sequence[Need]:
    """One thing that somebody might want with each resource that can be reached."""
    created = [(resource.kind, resource.created) for resource in run.cloud.deployment.resources]
    wanted = {
        "AWS::S3::Bucket": [
            ("s3:PutObject", "arn:aws:s3:::{ref}/airlines/x.csv"),
            ("s3:GetObject", "arn:aws:s3:::{ref}/x"),
        ],
        "AWS::SQS::Queue": [("sqs:SendMessage", "{Arn}"), ("sqs:ReceiveMessage", "{Arn}")],
        "AWS::SNS::Topic": [("sns:Publish", "{TopicArn}")],
        "AWS::Lambda::Function": [("lambda:InvokeFunction", "{Arn}")],
        "AWS::DynamoDB::Table": [("dynamodb:PutItem", "{Arn}")],
        "AWS::StepFunctions::StateMachine": [("states:StartExecution", "{Arn}")],
        "AWS::IAM::Role": [("sts:AssumeRole", "{Arn}")],
    }
    return [
        Need(action=action, resource=arn.format(ref=made.ref, **made.attributes))
        for kind, made in created
        for action, arn in wanted.get(kind, ())
    ]


def test_another_account_may_nothing_here_whatever_its_own_policies_say(run: Run) -> None:
    needs, evaluator = doors(run), Evaluator()
    assert len(needs) > 30
    stranger = Identity(arn="arn:aws:iam::210987654321:role/all", documents=(PolicyDocument(EVERYTHING),))
    for need in needs:
        own = resource_policy(need.resource, ACCOUNT, run.cloud.region)
        context = [("aws:SecureTransport", "true"), ("aws:PrincipalAccount", "210987654321")]
        assert evaluator.decide(question(stranger, own, need, context, ACCOUNT)) != ALLOWED, need


def test_service_that_acts_for_somebody_else_is_turned_away(run: Run) -> None:
    """The confused deputy: the service is the right one, the rule, alarm or account behind it is not."""
    needs = [need for need in doors(run) if need.action in {"sqs:SendMessage", "lambda:InvokeFunction", "sns:Publish"}]
    region, evaluator = run.cloud.region, Evaluator()
    for service, behind in (
        ("events.amazonaws.com", f"arn:aws:events:{region}:210987654321:rule/theirs"),
        ("cloudwatch.amazonaws.com", f"arn:aws:cloudwatch:{region}:210987654321:alarm:theirs"),
        ("s3.amazonaws.com", "arn:aws:s3:::theirs"),
    ):
        for need in needs:
            own = resource_policy(need.resource, ACCOUNT, region)
            context = [
                ("aws:SecureTransport", "true"),
                ("aws:SourceArn", behind),
                ("aws:SourceAccount", "210987654321"),
            ]
            answer = evaluator.decide(question(Identity(arn=service), own, need, context, ACCOUNT))
            assert answer != ALLOWED, (service, need)


def test_nothing_that_has_a_policy_answers_without_tls_even_to_the_administrator(run: Run) -> None:
    needs = [need for need in doors(run) if need.action.startswith(("s3:", "sqs:", "sns:"))]
    assert {run.guard.decide(ADMINISTRATOR, need, secure=False) for need in needs} == {"ExplicitlyDenied"}
    assert {run.guard.decide(ADMINISTRATOR, need) for need in needs} == {ALLOWED}


@pytest.mark.parametrize(
    ("role", "action", "dataset"),  # a dataset each: the lease of a run that could not settle stays taken
    [
        ("Ingest/Ingest/Role", "dynamodb:PutItem", "airports"),
        ("Pipeline/Run/Role", "lambda:InvokeFunction", "planes"),
        ("Pipeline/Transform/Role", "s3:GetObjectVersion", "weather"),
        ("Pipeline/Publish/Role", "glue:UpdateTable", "airlines"),
    ],
)
def test_flow_without_a_grant_fails_with_access_denied(run: Run, role: str, action: str, dataset: str) -> None:
    """Not replayed but run: the templates without this action, and a file that then does not become a table."""
    target, iam = Target.from_environment(run.cloud.environment()), run.cloud.client("iam")
    (arn,) = [arn for arn, path in run.guard.paths.items() if path == role]
    name, before = arn.rpartition("/")[2], len(run.guard.denied)
    policies = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    for policy, document in policies.items():
        less = copy.deepcopy(document)
        for statement in less["Statement"]:
            statement["Action"] = [one for one in as_list(statement["Action"]) if one != action] or ["s3:GetBucketAcl"]
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(less))
    try:
        key = f"{dataset}/without.csv"
        body = b"".join(source.reference_file(dataset).read_bytes().splitlines(keepends=True)[:4])
        version = run.cloud.client("s3").put_object(Bucket=target.raw_bucket, Key=key, Body=body)["VersionId"]
        run.cloud.wait_until_quiet(240)
        load = target.ledger().find(dataset, load_id(target.raw_bucket, key, version))
        assert load is None or load.state == "PENDING"
        said = run.guard.denied[before:]
        assert said
        assert all(f"role {role} " in message and action in message for message in said)
    finally:
        for policy, document in policies.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
