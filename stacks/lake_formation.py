"""Grants of AWS Lake Formation, for accounts where it governs the catalog: `lake_formation` in the settings.

There IAM alone opens no table: the stacks' roles need Lake Formation's permissions, too, as many as their policies ask
of Glue and no more. Analysts are let in by a tag of the database. Who deploys must be an administrator of Lake
Formation; which is asked by `sluice preflight`, because no template can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lakeformation as lakeformation
from constructs import Construct

from .lake import Lake
from .settings import Settings

_TAG = "sluice"
# docs.aws.amazon.com/lake-formation/latest/dg/lf-permissions-reference.html
_OF_DATABASE: Mapping[str, str] = {"glue:GetDatabase": "DESCRIBE", "glue:CreateTable": "CREATE_TABLE"}
_OF_TABLES: Mapping[str, str] = {
    "glue:GetTable": "DESCRIBE",
    "glue:UpdateTable": "ALTER",
    "glue:DeleteTable": "DROP",
    "athena:StartQueryExecution": "SELECT",
}


def govern(lake: Lake, flow: Stack, *, settings: Settings) -> None:
    """Grant every role the catalog actions of its policies. Call it when everything else is in the stacks."""
    for role, actions in _asked(flow).items():
        _grant(flow, role, _known(actions, _OF_DATABASE), _known(actions, _OF_TABLES), settings)
    _open_by_tag(lake, settings)


def _asked(flow: Stack) -> Mapping[iam.Role, frozenset[str]]:
    """Collect, for each role that touches the catalog, the actions that its policies allow."""
    found: dict[str, set[str]] = {}
    for policy in (child for child in flow.node.find_all() if isinstance(child, iam.CfnPolicy)):
        document = flow.resolve(policy.policy_document)
        for name in (role["Ref"] for role in flow.resolve(policy.roles) or []):
            for statement in document["Statement"]:
                actions = statement["Action"]
                found.setdefault(name, set()).update([actions] if isinstance(actions, str) else actions)
    roles = {
        flow.resolve(role.node.default_child.logical_id): role
        for role in flow.node.find_all()
        if isinstance(role, iam.Role) and isinstance(role.node.default_child, CfnResource)
    }
    touching = {"glue:GetTable", "glue:GetDatabase"}
    return {roles[name]: frozenset(actions) for name, actions in sorted(found.items()) if actions & touching}


def _known(actions: Iterable[str], words: Mapping[str, str]) -> Sequence[str]:
    return sorted({words[action] for action in actions if action in words})


def _grant(
    flow: Stack, role: iam.Role, of_database: Sequence[str], of_tables: Sequence[str], settings: Settings
) -> None:
    cfn = lakeformation.CfnPrincipalPermissions
    who = cfn.DataLakePrincipalProperty(data_lake_principal_identifier=role.role_arn)
    database = cfn.DatabaseResourceProperty(catalog_id=flow.account, name=settings.database)
    tables = cfn.TableResourceProperty(catalog_id=flow.account, database_name=settings.database, table_wildcard={})
    for name, permissions, resource in (
        ("OnDatabase", of_database, cfn.ResourceProperty(database=database)),
        ("OnTables", of_tables, cfn.ResourceProperty(table=tables)),
    ):
        if permissions:
            cfn(
                role,
                name,
                principal=who,
                resource=resource,
                permissions=[*permissions],
                permissions_with_grant_option=[],
            )


def _open_by_tag(lake: Lake, settings: Settings) -> None:
    """Tag the database, and let the readers named in the settings query tagged tables."""
    scope = Construct(lake, "LakeFormation")
    tag = lakeformation.CfnTag(scope, "Tag", tag_key=f"{_TAG}-{settings.environment}", tag_values=["tables"])
    association = lakeformation.CfnTagAssociation
    tagged = association(
        scope,
        "Tagged",
        lf_tags=[association.LFTagPairProperty(catalog_id=lake.account, tag_key=tag.tag_key, tag_values=["tables"])],
        resource=association.ResourceProperty(
            database=association.DatabaseResourceProperty(catalog_id=lake.account, name=settings.database)
        ),
    )
    tagged.add_resource_dependency(tag)
    tagged.add_resource_dependency(lake.database)
    cfn = lakeformation.CfnPrincipalPermissions
    for at, reader in enumerate(settings.lake_formation_readers):
        for kind, permissions in (("DATABASE", ["DESCRIBE"]), ("TABLE", ["DESCRIBE", "SELECT"])):
            policy = cfn.LFTagPolicyResourceProperty(
                catalog_id=lake.account,
                expression=[cfn.LFTagProperty(tag_key=tag.tag_key, tag_values=["tables"])],
                resource_type=kind,
            )
            granted = cfn(
                scope,
                f"Reader{at}{kind.title()}",
                principal=cfn.DataLakePrincipalProperty(data_lake_principal_identifier=reader),
                resource=cfn.ResourceProperty(lf_tag_policy=policy),
                permissions=permissions,
                permissions_with_grant_option=[],
            )
            granted.add_resource_dependency(tagged)
