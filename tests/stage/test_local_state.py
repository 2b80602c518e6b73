"""What one offline AWS has kept is what the next one with the same folder begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.moto_api._internal import moto_api_backend

from sluice.local.gateway import Gateway
from sluice.local.principals import ADMINISTRATOR, CLOUDFORMATION, Principals
from sluice.local.seams import glue_version, patch
from sluice.local.state.journal import Journal, StateError
from sluice.local.state.state import State

KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
ATTRIBUTES = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]


@dataclass(frozen=True)
class Kept:
    principals: Principals

    def client(self, service: str) -> Any:
        return self.principals.client(ADMINISTRATOR, service)


@contextmanager
def start(folder: Path) -> Iterator[Kept]:
    """What `LocalCloud` does, without a second of deployment: empty parts of AWS, then what is kept, then callers."""
    moto_api_backend.reset()
    gateway = Gateway()
    principals = Principals(endpoint=gateway.endpoint, region="us-east-1")
    gateway.name_of = principals.name_of
    gateway.start()
    glue_version.install()
    try:
        s3 = principals.client(CLOUDFORMATION, "s3")
        for bucket in ("raw", "results"):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
        principals.client(CLOUDFORMATION, "dynamodb").create_table(
            TableName="ledger", KeySchema=KEYS, AttributeDefinitions=ATTRIBUTES, BillingMode="PAY_PER_REQUEST"
        )
        principals.client(CLOUDFORMATION, "glue").create_database(DatabaseInput={"Name": "lake"})
        state = State(folder / "state", region="us-east-1", ssm=principals.client(CLOUDFORMATION, "ssm"))
        gateway.keep = state.note
        yield Kept(principals)
        state.close()
    finally:
        gateway.stop()
        patch.restore()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path


def versions(cloud: Kept) -> list[dict[str, Any]]:
    listed = cloud.client("s3").list_object_versions(Bucket="raw")
    found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    return sorted(found, key=lambda version: (version["Key"], version["VersionId"]))


def bodies_of(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "state" / "objects").rglob("*"))


def test_versions_markers_ids_times_bodies_and_metadata_come_back(kept: Path) -> None:
    with start(kept) as cloud:
        s3 = cloud.client("s3")
        for body in (b"first", b"", b"third"):
            s3.put_object(Bucket="raw", Key="a/x", Body=body, Metadata={"by": "me"}, ContentType="text/csv")
        gone = s3.put_object(Bucket="raw", Key="a/x", Body=b"gone")["VersionId"]
        s3.delete_object(Bucket="raw", Key="a/x", VersionId=gone)
        s3.delete_object(Bucket="raw", Key="a/x")
        s3.put_object(Bucket="raw", Key="a/x", Body=b"after the marker")
        s3.put_object(Bucket="raw", Key="a/gone for good", Body=b"1")
        (version,) = [one["VersionId"] for one in versions(cloud) if one["Key"] == "a/gone for good"]
        s3.delete_objects(
            Bucket="raw", Delete={"Objects": [{"Key": "a/gone for good", "VersionId": version}, {"Key": "a/z"}]}
        )
        upload = s3.create_multipart_upload(Bucket="raw", Key="a/large")["UploadId"]
        part = {"Bucket": "raw", "Key": "a/large", "UploadId": upload}
        etag = s3.upload_part(**part, PartNumber=1, Body=b"y" * 6_000_000)["ETag"]
        s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": 1}]})
        s3.put_object(Bucket="results", Key="not/versioned", Body=b"old")
        s3.put_object(Bucket="results", Key="not/versioned", Body=b"new")
        before = versions(cloud)
        assert bodies_of(kept) == 6  # what was deleted for good is not on disk either
    with start(kept) as cloud:
        s3 = cloud.client("s3")
        assert versions(cloud) == before
        bodies = {
            s3.get_object(Bucket="raw", Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
            for one in before
            if "Size" in one
        }
        assert bodies == {b"first", b"", b"third", b"after the marker", b"y" * 6_000_000}
        head = s3.head_object(Bucket="raw", Key="a/x")
        assert s3.get_object(Bucket="raw", Key="a/x", Range="bytes=6-8")["Body"].read() == b"the"
        assert head["ContentLength"] == len(b"after the marker")
        assert s3.get_object(Bucket="results", Key="not/versioned")["Body"].read() == b"new"
        (first,) = [
            one for one in before if one["Key"] == "a/x" and one.get("Size") == 5 and one["ETag"].startswith('"8b')
        ]
        described = s3.head_object(Bucket="raw", Key="a/x", VersionId=first["VersionId"])
        assert (described["Metadata"], described["ContentType"]) == ({"by": "me"}, "text/csv")
    assert bodies_of(kept) == 6


def test_ledger_table_entries_and_parameters_come_back_as_they_were_last(kept: Path) -> None:
    with start(kept) as cloud:
        ledger, glue, ssm = cloud.client("dynamodb"), cloud.client("glue"), cloud.client("ssm")
        for number in range(3):
            item = {"pk": {"S": "a"}, "sk": {"S": str(number)}, "rows": {"N": "0"}, "seen": {"SS": ["x", "y"]}}
            ledger.put_item(TableName="ledger", Item=item)
        key = {"pk": {"S": "a"}, "sk": {"S": "0"}}
        ledger.update_item(
            TableName="ledger", Key=key, UpdateExpression="SET #r = :n", ExpressionAttributeNames={"#r": "rows"},
            ExpressionAttributeValues={":n": {"N": "7"}},
        )  # fmt: skip
        ledger.delete_item(TableName="ledger", Key={"pk": {"S": "a"}, "sk": {"S": "1"}})
        new = {"pk": {"S": "b"}, "sk": {"S": "0"}}
        ledger.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "ledger", "Item": new}},
                {"Delete": {"TableName": "ledger", "Key": {"pk": {"S": "a"}, "sk": {"S": "2"}}}},
            ]
        )
        glue.create_table(DatabaseName="lake", TableInput={"Name": "t", "Parameters": {"at": "1"}})
        glue.update_table(DatabaseName="lake", TableInput={"Name": "t", "Parameters": {"at": "2"}}, VersionId="1")
        glue.create_table(DatabaseName="lake", TableInput={"Name": "dropped"})
        glue.delete_table(DatabaseName="lake", Name="dropped")
        ssm.put_parameter(Name="/salt", Type="SecureString", Value="secret")
    with start(kept) as cloud:
        found = cloud.client("dynamodb").scan(TableName="ledger")["Items"]
        assert sorted(found, key=lambda item: item["pk"]["S"]) == [
            {**key, "rows": {"N": "7"}, "seen": {"SS": ["x", "y"]}},
            new,
        ]
        (table,) = cloud.client("glue").get_tables(DatabaseName="lake")["TableList"]
        assert (table["Name"], table["Parameters"], table["VersionId"]) == ("t", {"at": "2"}, "2")
        with pytest.raises(Exception, match="ConcurrentModification"):
            cloud.client("glue").update_table(DatabaseName="lake", TableInput={"Name": "t"}, VersionId="1")
        salt = cloud.client("ssm").get_parameter(Name="/salt", WithDecryption=True)["Parameter"]
        assert (salt["Value"], salt["Type"]) == ("secret", "SecureString")


def test_the_last_line_cut_off_is_forgotten_and_all_before_it_is_not(kept: Path) -> None:
    with start(kept) as cloud:
        for key in ("one", "two"):
            cloud.client("s3").put_object(Bucket="raw", Key=key, Body=key)
    journal = kept / "state" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    with start(kept) as cloud:
        assert [version["Key"] for version in versions(cloud)] == ["one"]
        cloud.client("s3").put_object(Bucket="raw", Key="three", Body=b"3")
    with start(kept) as cloud:
        assert [version["Key"] for version in versions(cloud)] == ["one", "three"]


def test_the_journal_does_not_grow_with_history(kept: Path) -> None:
    lease = {"pk": {"S": "lease"}, "sk": {"S": "x"}}
    journal = Journal(kept / "state" / "journal.jsonl")
    for number in range(1_200):
        item = {**lease, "fence": {"N": str(number)}}
        journal.append({"kind": "item", "table": "ledger", "key": lease, "item": item})
    journal.close()
    with start(kept) as cloud:
        (item,) = cloud.client("dynamodb").scan(TableName="ledger")["Items"]
        assert item["fence"] == {"N": "1199"}
    assert len((kept / "state" / "journal.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"format":2}\n', "has format 2"), ('{"format":1}\n{"kind":\n{}\n', "damaged in line 2")],
)
def test_state_that_cannot_be_read_is_refused_and_left_as_it_is(kept: Path, text: str, said: str) -> None:
    (kept / "state").mkdir()
    (kept / "state" / "journal.jsonl").write_text(text)
    with pytest.raises(StateError, match=said), start(kept):
        pass
    assert (kept / "state" / "journal.jsonl").read_text() == text
