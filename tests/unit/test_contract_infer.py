"""What counts of sample columns become: types, formats, enumerations; and that nothing is guessed."""

from __future__ import annotations

import pytest

from sluice.contract.infer import Profile, infer_columns, key_candidates


def profile(
    source: str = "x", *, rows: int = 500, missing: int = 0, fits: tuple[str, ...] = (), **more: object
) -> Profile:
    bounds, filled = dict.fromkeys(fits, "1"), rows - missing
    if "double" in fits or "int" in fits:
        fits = (*fits, "number .")
    given = {"distinct": filled, "least": bounds, "greatest": bounds, "misfits": dict.fromkeys(fits, 0), **more}
    return Profile(source=source, rows=rows, missing=missing, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counted", "kind", "form"),
    [
        (profile(fits=("int", "long", "decimal", "double")), "int", None),
        (profile(fits=("long", "decimal", "double")), "long", None),
        (profile(fits=("decimal", "double"), whole_digits=3, scales={2: 500}), "decimal(9,2)", None),
        (profile(fits=("decimal", "double"), whole_digits=9, scales={2: 500}), "decimal(18,2)", None),
        (profile(fits=("decimal", "double"), whole_digits=1, scales={12: 500}), "double", None),
        (profile(fits=("double",)), "double", None),
        (profile(fits=("date", "date dd/MM/yyyy")), "date", None),
        (profile(fits=("date MM/dd/yyyy",)), "date", "MM/dd/yyyy"),
        (profile(fits=("timestamp dd.MM.yyyy HH:mm",)), "timestamp", "dd.MM.yyyy HH:mm"),
        (profile(fits=("text uuid",)), "string", "uuid"),
        (profile(), "string", None),
    ],
)
def test_the_narrowest_type_that_every_cell_fits_is_taken(counted: Profile, kind: str, form: str | None) -> None:
    (column,), _ = infer_columns([counted])
    assert (column.kind, column.form) == (kind, form)


def test_a_date_that_can_be_read_in_two_ways_stays_text_and_says_so() -> None:
    (column,), _ = infer_columns([profile(fits=("date dd/MM/yyyy", "date MM/dd/yyyy"))])
    assert column.kind == "string"
    assert "dd/MM/yyyy, MM/dd/yyyy" in column.remarks[0]


def test_digits_with_leading_zeros_stay_text() -> None:
    (column,), _ = infer_columns([profile(fits=("int", "long"), zero_led=3)])
    assert column.kind == "string"


def test_a_text_means_missing_only_where_it_keeps_a_column_from_its_type() -> None:
    typed, text = profile("n", fits=("int", "long"), nulls={"NA": 7}), profile("s", nulls={"-": 2})
    columns, nulls = infer_columns([typed, text])
    assert nulls == ("", "NA")
    assert not columns[0].required
    assert columns[1].required
    assert "- stands in 2 cells" in columns[1].remarks[0]


def test_few_values_are_an_enumeration_only_where_each_stands_there_often() -> None:
    often, seldom = (
        profile(rows=500, distinct=2, common=[("a", 250), ("b", 250)]),
        profile(rows=30, distinct=2, common=[("a", 15), ("b", 15)]),
    )
    columns, _ = infer_columns([often, seldom])
    assert [column.values for column in columns] == [("a", "b"), ()]
    (short,), _ = infer_columns([profile(rows=90, distinct=2, common=[("a", 45), ("b", 45)])])
    assert short.values == ()


def test_whole_numbers_are_not_negative_only_where_many_rows_say_so() -> None:
    whole = ("int", "long")
    many, some = profile(fits=whole), profile(fits=whole, negative=5)
    columns, _ = infer_columns([many, some, profile(fits=whole, rows=90)])
    assert [column.not_negative for column in columns] == [True, False, False]


def test_names_of_a_file_become_names_of_columns_each_once() -> None:
    columns, _ = infer_columns([profile(name) for name in ("Order ID", "orderId", "2nd", "", "Ärger €", "_sluice_row")])
    assert [column.name for column in columns] == [
        "order_id", "order_id_2", "column_2nd", "column_4", "aerger", "column_sluice_row",
    ]  # fmt: skip


def test_a_measurement_or_a_column_with_gaps_is_no_key() -> None:
    columns, _ = infer_columns(
        [
            profile("price", fits=("decimal", "double"), whole_digits=2, scales={2: 500}),
            profile("gap", missing=5),
            profile("a"),
            profile("b_id"),
        ]
    )
    assert key_candidates(columns) == [3, 2]
