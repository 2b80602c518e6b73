"""A network without a way out, for the functions of the hardened profile: services are reached through endpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from .acknowledged import acknowledge
from .logs import log_group

_HTTPS = 443
# Endpoints by the prefix of the actions that they serve. Each costs while idle (docs/hardened.md).
_ENDPOINTS: Mapping[str, str] = MappingProxyType(
    {
        "athena": "ATHENA",
        "cloudwatch": "CLOUDWATCH_MONITORING",
        "events": "EVENTBRIDGE",
        "glue": "GLUE",
        "lambda": "LAMBDA",
        "sns": "SNS",
        "sqs": "SQS",
        "ssm": "SSM",
        "states": "STEP_FUNCTIONS",
    }
)
# Through gateways, which cost nothing; and what Lambda itself does for a function, outside of its network.
_NO_ENDPOINT = frozenset({"s3", "dynamodb", "logs", "xray", "kms", "ec2"})


class Network(Construct):
    """Two zones of isolated subnets, and an endpoint for each service that a function calls."""

    def __init__(self, scope: Construct, construct_id: str, *, services: Collection[str], log_days: int) -> None:
        super().__init__(scope, construct_id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            restrict_default_security_group=False,  # it would deploy a function to do so
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Functions", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=20)
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        self.vpc.add_flow_log(
            "FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group(self, "Logs", days=log_days))
        )
        self.subnet_ids = [subnet.subnet_id for subnet in self.vpc.isolated_subnets]
        self.group = ec2.SecurityGroup(
            self, "Functions", vpc=self.vpc, allow_all_outbound=False, description="Functions: TLS to endpoints"
        )
        # To any address, because gateways have changing ones; the network has no other way out.
        self.group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(_HTTPS), "TLS to endpoints")
        self._endpoints = ec2.SecurityGroup(
            self, "Endpoints", vpc=self.vpc, allow_all_outbound=False, description="Endpoints: TLS from functions"
        )
        self._endpoints.add_ingress_rule(self.group, ec2.Port.tcp(_HTTPS), "TLS from functions")
        for service in sorted(set(services) - _NO_ENDPOINT):
            self._open(service)
        acknowledge(
            self,
            "Nothing uses the default group; closing it would take a function that is deployed for that alone",
            "…-VPCDefaultSecurityGroupClosed",
        )

    def _open(self, service: str) -> None:
        if service not in _ENDPOINTS:
            raise ValueError(
                f"functions call {service}: name its endpoint in stacks/network.py, or say that it has none"
            )
        self.vpc.add_interface_endpoint(
            service.capitalize(),
            service=getattr(ec2.InterfaceVpcEndpointAwsService, _ENDPOINTS[service]),
            private_dns_enabled=True,
            security_groups=[self._endpoints],
            open=False,  # to functions, not to whoever else gets an address here
        )
