"""Personal data: what is stored in place of a value, and that the value is nowhere else, whatever is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sluice.contract.plan import Plan
from sluice.errors import ContractError
from sluice.kernel import transform as transform_module
from sluice.stages.salt import no_salt, salt_from
from tests.unit.contract_case import compiled, refusal
from tests.unit.kernel_case import Case, run

SALT = "a salt that is long enough"
SECRETS = ["secret1@example.org", "secret2@example.org", "DE00SECRET00000001", "SECRET-NAME", "4711"]


def protected(how: str, **more: Any) -> dict[str, Any]:
    return {**more, "customProperties": [{"property": "sluice", "value": {"protect": how}}]}


MAIL = {"name": "mail", "logicalType": "string", "unique": True, "logicalTypeOptions": {"format": "email"}}
PROPERTIES: list[dict[str, Any]] = [
    {"name": "name", "logicalType": "string", "classification": "Secret", "logicalTypeOptions": {"maxLength": 11}},
    protected("hash", **MAIL),
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    protected("mask", name="iban", logicalType="string", logicalTypeOptions={"minLength": 18}),
    protected("omit", name="born", logicalType="integer"),
]


def plan(**options: Any) -> Plan:
    return compiled(PROPERTIES, **{"protect": {"secret": "omit"}, **options})


def hashed(text: str) -> str:
    def once(value: str) -> str:
        return hashlib.sha256((SALT + value).encode()).hexdigest()

    return once(once(text))


def everything(case: Case) -> str:
    """All that was written, and the account."""
    query = "SELECT * FROM read_parquet($1)"
    files = [str(duckdb.execute(query, [str(file.path)]).fetchall()) for file in case.outcome.files]
    return " ".join([str(case.outcome.loads), *files])


ROWS = (
    "SECRET-NAME,secret1@example.org,1,DE00SECRET00000001,4711\n"
    "SECRET-NAME,secret2@example.org,1,DE00SECRET00000001,4711\n"  # the key again
    "SECRET-NAME,secret1@example.org,2,DE00SECRET00000001,4711\n"  # the mail again
    "SECRET-NAME-X,secret1@example.org,x,DE00SECRET0001,4711a\n"  # everything wrong
    "SECRET-NAME,secret1@example.org,3,DE00SECRET00000001,4711,more\n"  # a cell too many
    ",,4,,\n"
)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("large", [True, False])
def test_protected_values_are_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bool, large: bool
) -> None:
    if large:  # an object that goes straight to files
        monkeypatch.setattr(transform_module, "_LARGE", 1)
    text = ("name,mail,id,iban,born\n" if header else "") + ROWS
    case = run(tmp_path, text, plan(header=header), salt=SALT)
    assert case.rows("mail, id, iban") == [(hashed("secret1@example.org"), 1, "****0001"), (None, 4, None)]
    assert case.rejects('row_number, "column", rule, "value"') == [
        (2, "id", "primaryKey", "1"),
        (3, "mail", "unique", hashed("secret1@example.org")),
        (4, "id", "type", "x"),
        (4, "iban", "minLength", None),
        (4, "name", "maxLength", None),
        (4, "born", "type", None),
        (5, None, "row.fields", None),
    ]
    assert [secret for secret in SECRETS if secret in everything(case)] == []
    reasons = [reason for (reason,) in case.rejects("reason")]
    assert "expected at least 18 characters, got (protected)" in reasons
    (first, *_, last) = [raw for (raw,) in case.rejects("raw")]
    assert '"id":"1"' in first
    assert last == "(withheld: the record has protected values)"


def test_json_shows_no_protected_value_either(tmp_path: Path) -> None:
    lines = '{"name":"SECRET-NAME","mail":"secret1","id":1}\n{"name":"SECRET-NAME","secret1":4711}\n'
    lines += '"SECRET-NAME"\n{"name"\n'
    case = run(tmp_path, lines, plan(format="json", missingColumns="null"), salt=SALT)
    assert case.load.rows_rejected == 4
    assert [secret for secret in [*SECRETS, "secret1"] if secret in everything(case)] == []


def test_a_row_that_is_taken_for_a_header_is_not_shown(tmp_path: Path) -> None:
    case = run(tmp_path, "SECRET-NAME,secret1@example.org,1,DE00SECRET00000001,4711\n" * 2, plan(), salt=SALT)
    assert "found 5 others" in (case.load.refused or "")
    assert [secret for secret in SECRETS if secret in everything(case)] == []


def test_the_same_value_has_the_same_hash_under_one_salt_only(tmp_path: Path) -> None:
    found = []
    for number, salt in enumerate((SALT, SALT, SALT + "!")):
        folder = tmp_path / str(number)
        folder.mkdir()
        found += run(folder, "name,mail,id,iban,born\n,a@b.example,1,,\n", plan(), salt=salt).rows("mail")
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("salt", [None, "", "short"])
def test_nothing_is_hashed_without_a_salt(tmp_path: Path, salt: str | None) -> None:
    with pytest.raises(ContractError, match="no salt of 16 characters"):
        run(tmp_path, "name,mail,id,iban,born\n", plan(), salt=salt)


def test_the_salt_is_read_only_for_plans_that_hash() -> None:
    class Ssm:
        def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: N803  (AWS's names)
            assert WithDecryption
            return {"Parameter": {"Value": f"value of {Name}"}}

    plain = compiled([PROPERTIES[2]])
    assert salt_from("/sluice/salt", Ssm)(plan()) == "value of /sluice/salt"
    assert salt_from("", Ssm)(plain) is None
    assert no_salt(plan()) is None
    with pytest.raises(ContractError, match="no parameter with a salt is named"):
        salt_from("", Ssm)(plan())


def test_a_classification_protects_unless_the_property_says_otherwise() -> None:
    made = plan()
    assert [(column.name, column.protect) for column in (*made.columns, *made.omitted)] == [
        ("mail", "hash"), ("id", ""), ("iban", "mask"), ("name", "omit"), ("born", "omit"),
    ]  # fmt: skip
    free = compiled([protected("none", **PROPERTIES[0]), *PROPERTIES[1:]], protect={"secret": "omit"})
    assert [column.name for column in free.omitted] == ["born"]


TEXT = {"name": "a", "logicalType": "string"}
COUNT = {"type": "sql", "query": "SELECT count(a) FROM ${object}", "mustBe": 1}


@pytest.mark.parametrize(
    ("item", "more", "message"),
    [
        (protected("hash", name="a", logicalType="integer"), {}, "of type int"),
        (protected("mask", **TEXT, primaryKey=True), {}, "a key"),
        (protected("omit", **TEXT, unique=True), {}, "unique"),
        (protected("mask", **TEXT, partitioned=True), {}, "a partition"),
        (protected("hash", **TEXT), {"mode": "merge", "sequenceBy": "a"}, "sequenceBy"),
        (protected("hash", **TEXT), {"quality": [COUNT]}, "counted by the check sql"),
        (
            protected(
                "hash",
                **TEXT,
                quality=[{"metric": "invalidValues", "arguments": {"pattern": "x"}, "mustBeLessThan": 9}],
            ),
            {},
            "counted by the check invalidValues",
        ),
        (
            protected(
                "hash",
                **TEXT,
                quality=[
                    {"metric": "invalidValues", "arguments": {"pattern": "x"}, "mustBe": 0, "severity": "warning"}
                ],
            ),
            {},
            "counted by the warning pattern",
        ),
        (protected("blur", **TEXT), {}, "protect is 'blur'"),
        (TEXT, {"protect": {"secret": "blur"}}, "protect is"),
    ],
)
def test_what_would_show_or_need_a_protected_value_is_refused(
    item: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    other = {"name": "b", "logicalType": "string", "primaryKey": True}
    assert message in refusal([item, *([] if item.get("primaryKey") else [other])], **more).message


def test_a_derived_column_must_not_show_what_it_is_made_of() -> None:
    item, derived = protected("hash", **TEXT), {"name": "b", "logicalType": "string", "transformLogic": "upper(a)"}
    assert "in the transformLogic of b" in refusal([item, derived]).message
    assert compiled([item, protected("hash", **derived)]).columns[1].protect == "hash"


def test_hashes_still_tell_what_is_missing_and_what_is_repeated() -> None:
    checks = [{"metric": metric, "mustBeLessThan": 5} for metric in ("nullValues", "duplicateValues")]
    assert len(compiled([protected("hash", **TEXT, quality=checks)]).checks) == 2
