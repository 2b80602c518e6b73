"""The data that must survive: raw zone, lake, query results, ledger and catalog. Everything else is code."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice.locations import RUNS

from .acknowledged import acknowledge
from .settings import Settings

_ABANDONED = s3.LifecycleRule(id="AbandonedUploads", abort_incomplete_multipart_upload_after=Duration.days(7))


class Lake(Stack):
    """The stateful stack. Deleting it leaves the data behind, unless both keys are set (`Settings.may_lose_data`)."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        place = Environment(account=settings.account, region=settings.region)
        super().__init__(scope, construct_id, env=place, description="Sluice: buckets, ledger and catalog")
        self.settings = settings
        self.fate = RemovalPolicy.DESTROY if settings.may_lose_data else RemovalPolicy.RETAIN

        # What was delivered is kept for good, every version of it: curated tables are a function of it.
        self.raw = self._bucket("Raw", versioned=True, rules=[])
        self._announce_raw_objects()
        self.lake = self._bucket("Lake", versioned=True, rules=_lake_rules(settings))
        self.results = self._bucket(
            "Results",
            versioned=False,
            rules=[s3.LifecycleRule(id="OldResults", expiration=Duration.days(settings.results_days))],
        )
        self.ledger = dynamodb.Table(
            self,
            "Ledger",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires",
            removal_policy=self.fate,
        )
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=settings.database, description="Curated tables, their rejects, and marts"
            ),
        )
        self.database.apply_removal_policy(self.fate)
        self._acknowledge()
        for name, value in self._outputs().items():
            CfnOutput(self, name, value=value)

    def _announce_raw_objects(self) -> None:
        """Send events of the raw bucket to EventBridge. The L2's own switch would deploy a Lambda to flip it."""
        bucket = self.raw.node.default_child
        assert isinstance(bucket, s3.CfnBucket)  # noqa: S101  (jsii knows only the general type)
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )

    def _bucket(self, construct_id: str, *, versioned: bool, rules: list[s3.LifecycleRule]) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            versioned=versioned,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[_ABANDONED, *rules],
            removal_policy=self.fate,
        )

    def _acknowledge(self) -> None:
        acknowledge(
            self.results,
            "Results of queries: whoever asks again has them again, and they expire",
            "…-S3BucketVersioningEnabled",
            "CKV_AWS_21",
            "s3_bucket_versioning_enabled_check",
        )
        for bucket in (self.lake, self.results):
            acknowledge(
                bucket,
                "Only raw objects start anything; this bucket is written by the pipeline itself",
                "s3_event_notifications_enabled_check",
            )
            acknowledge(
                bucket,
                "Its files are made from raw objects and are replaced and removed by maintenance, which a lock forbids",
                "s3_bucket_object_lock_enabled_check",
            )
        if not self.settings.hardened:
            acknowledge(
                self,
                "Access logs and object lock belong to the hardened profile: they store more, and locked data stays",
                "AwsSolutions-S1",
                "CKV_AWS_18",
                "s3_bucket_logging_enabled_check",
                "s3_bucket_object_lock_enabled_check",
            )
            acknowledge(
                self,
                "Encrypted with keys of AWS; a customer's own costs while idle and belongs to the hardened profile",
                "s3_bucket_default_encryption_kms_check",
                "dynamodb_table_encrypted_kms_check",
                "CKV_AWS_119",
            )

    def _outputs(self) -> dict[str, str]:
        return {
            "RawBucket": self.raw.bucket_name,
            "LakeBucket": self.lake.bucket_name,
            "ResultsBucket": self.results.bucket_name,
            "LedgerTable": self.ledger.table_name,
        }


def _lake_rules(settings: Settings) -> list[s3.LifecycleRule]:
    """Nothing under tables/ expires by age: only maintenance knows which files some snapshot still needs."""
    return [
        s3.LifecycleRule(id="OldRuns", prefix=RUNS, expiration=Duration.days(settings.run_files_days)),
        s3.LifecycleRule(
            id="Replaced",
            noncurrent_version_expiration=Duration.days(settings.noncurrent_days),
            expired_object_delete_marker=True,
        ),
    ]
