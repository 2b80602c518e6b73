"""Two plans of one dataset to the changes between them, and the rule about those that break readers. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal

from sluice.contract.evolution import changes
from sluice.contract.evolution.changes import Change
from sluice.contract.plan import Column, Plan, Rule
from sluice.contract.types import decimal_parts
from sluice.errors import ContractError

_WIDENS = {("int", "long"), ("float", "double")}
# Conditions as `rules` writes them, of which can be said which lets fewer values through.
_BOUND = re.compile(r"(\{column\}|length\(\{column\}\)) (>=|>|<=|<) (?:(-?[0-9]+(?:\.[0-9]+)?)|([A-Z]+ '[^']*'))")
_LIST = re.compile(r"\{column\} (IS NOT NULL AND \{column\} NOT )?IN \((.*)\)", re.DOTALL)
_LITERAL = re.compile(r"(?:[A-Z]+ )?'(?:[^']|'')*'|[^', ]+")


def compare(old: Plan, new: Plan) -> tuple[Change, ...]:
    """List the changes from `old` to `new`, columns first. Descriptions and the version alone are no change."""
    if old.dataset != new.dataset:
        raise ValueError(f"plans of two datasets: {old.dataset} and {new.dataset}")
    pairs = _matched(old.columns, new.columns)
    return (
        *_columns(old, new, pairs),
        *_rules(old, new, pairs),
        *_table(old, new, pairs),
        *_reading(old, new),
    )


def refuse_unsaid(old: Plan, new: Plan, *, file: str) -> None:
    """Raise ContractError if readers would break and the contract does not say so by a new major version.

    The version is where the standard puts it: 1.4.2 to 2.0.0 says that what worked may work no longer.
    """
    breaking = [change.sentence for change in compare(old, new) if change.breaks_readers]
    if breaking and _major(new.version) <= _major(old.version):
        raise ContractError(
            f"dataset {new.dataset}: version {new.version} would break readers of {old.version}: {'; '.join(breaking)}",
            file=file,
            place="version",
            remedy=f'take it back, or say it: `version: "{_major(old.version) + 1}.0.0"`',
        )


def _major(version: str) -> int:
    found = re.match(r"v?([0-9]+)", version)
    return int(found[1]) if found else 0


def _matched(old: Sequence[Column], new: Sequence[Column]) -> Mapping[str, Column]:
    """New columns by the name of the old ones that they continue: by the property's id, else by name."""
    by_id = {column.id: column for column in new if column.id}
    by_name = {column.name: column for column in new}
    pairs: dict[str, Column] = {}
    for column in old:
        found = by_id.get(column.id) if column.id else None
        if found is None:
            same = by_name.get(column.name)
            # The same name under another id is another column.
            found = same if same and not (column.id and same.id) else None
        if found is not None:
            pairs[column.name] = found
    return pairs


def _columns(old: Plan, new: Plan, pairs: Mapping[str, Column]) -> Iterator[Change]:
    continued = {column.name for column in pairs.values()}
    for before in old.columns:
        after = pairs.get(before.name)
        if after is None:
            yield changes.DropColumn(column=before.name)
        else:
            yield from _column(before, after)
    for column in new.columns:
        if column.name not in continued:
            yield changes.AddColumn(column=column.name, type=column.type)
    kept = tuple(pairs[column.name].name for column in old.columns if column.name in pairs)
    now = tuple(column.name for column in new.columns if column.name in continued)
    if kept != now:
        yield changes.Reorder(columns=now)


def _column(old: Column, new: Column) -> Iterator[Change]:
    if old.name != new.name:
        yield changes.RenameColumn(column=old.name, to=new.name)
    if old.type != new.type:
        kind: type[changes.WidenType | changes.NarrowType | changes.ReplaceType] = changes.ReplaceType
        if _widens(old.type, new.type):
            kind = changes.WidenType
        elif _widens(new.type, old.type):
            kind = changes.NarrowType
        yield kind(column=new.name, old=old.type, new=new.type)
    elif (old.source, old.cast) != (new.source, new.cast):
        before, after = _making(old, new)
        yield changes.ValuesChanged(column=new.name, old=before, new=after)
    if old.protect != new.protect:
        was, now = (f"{word} of the values" if word else "the values" for word in (old.protect, new.protect))
        yield changes.ProtectionChanged(column=new.name, old=was, new=now)


def _making(old: Column, new: Column) -> tuple[str, str]:
    """Return the difference in the making of values: the cell, the form of the text, or the expression."""
    if old.source != new.source:
        return old.source or old.cast, new.source or new.cast
    return (old.expected, new.expected) if old.expected != new.expected else (old.cast, new.cast)


def _widens(old: str, new: str) -> bool:
    if (old, new) in _WIDENS:
        return True
    before, after = decimal_parts(old), decimal_parts(new)
    return before is not None and after is not None and before[1] == after[1] and before[0] < after[0]


def _rules(old: Plan, new: Plan, pairs: Mapping[str, Column]) -> Iterator[Change]:
    """Rules of columns that both plans have, and of the row; a column that comes or goes says it all by itself."""
    before, after = _by_place(old), _by_place(new)
    names: dict[str | None, str | None] = {None: None, **{name: column.name for name, column in pairs.items()}}
    for (column, rule), rules in before.items():
        if column in names:
            yield from _rule(rules, after.pop((names[column], rule), []))
    for (column, _), rules in after.items():
        if column in names.values():
            yield from _rule([], rules)
    yield from _object_rules(old, new, {name: to for name, to in names.items() if name and to})


def _object_rules(old: Plan, new: Plan, names: Mapping[str, str]) -> Iterator[Change]:
    """Compare uniqueness, and the checks that hold whole objects back; a rename of their columns is no change."""
    before, after = _promises(old, names), _promises(new, {})
    for (column, rule), expected in before.items():
        if (column, rule) not in after:
            yield changes.RuleLoosened(column=column, rule=rule, old=expected, new=None)
        elif after[column, rule] != expected:
            yield changes.RuleChanged(column=column, rule=rule, old=expected, new=after[column, rule])
    for (column, rule), expected in after.items():
        if (column, rule) not in before:
            yield changes.RuleTightened(column=column, rule=rule, old=None, new=expected)


def _promises(plan: Plan, names: Mapping[str, str]) -> dict[tuple[str | None, str], str]:
    """Return columns, rule and expectation of each, the columns under their new names."""
    found: dict[tuple[str | None, str], str] = {}
    for unique in plan.unique:
        found[", ".join(names.get(name, name) for name in unique.columns), unique.name] = "each value once in an object"
    for check in plan.checks:
        if check.severity == "stop":
            column = names.get(check.column, check.column) if check.column else None
            unit = " percent" if check.percent else ""
            bounds = " and ".join(map(str, check.bounds))
            asked = check.sql if check.measure == "query" else ""
            found[column, check.name] = f"{check.operator} {bounds}{unit}" + (f" of {asked}" if asked else "")
    return found


def _by_place(plan: Plan) -> dict[tuple[str | None, str], list[Rule]]:
    found: dict[tuple[str | None, str], list[Rule]] = defaultdict(list)
    for rule in plan.rules:
        if rule.severity != "warn":  # a warning rejects nothing
            found[rule.column, rule.name].append(rule)
    return found


def _rule(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[Change]:
    """Compare the rules of one name at one column, in the order of the contract."""
    for before, after in zip(old, new, strict=False):
        yield from _same_rule(before, after)
    for rule in new[len(old) :]:
        if rule.name == "required" and rule.column and not old:
            yield changes.RequiredTightened(column=rule.column)
        elif rule.name != "required":
            yield changes.RuleTightened(column=rule.column, rule=rule.name, old=None, new=rule.expected)
    for rule in old[len(new) :]:
        if rule.name == "required" and rule.column and not new:
            yield changes.RequiredLoosened(column=rule.column)
        elif rule.name != "required":
            yield changes.RuleLoosened(column=rule.column, rule=rule.name, old=rule.expected, new=None)


def _same_rule(old: Rule, new: Rule) -> Iterator[Change]:
    said = {"column": new.column, "rule": new.name, "old": old.expected, "new": new.expected}
    if old.severity != new.severity:  # reject and stop: an object of which nothing is published
        said = {**said, "old": f"{old.expected} ({old.severity})", "new": f"{new.expected} ({new.severity})"}
        yield (changes.RuleTightened if new.severity == "stop" else changes.RuleLoosened)(**said)  # type: ignore[arg-type]
    elif _condition(old) != _condition(new):
        asks = _asks_more(_condition(old), _condition(new))
        kinds = {True: changes.RuleTightened, False: changes.RuleLoosened, None: changes.RuleChanged}
        yield kinds[asks](**said)  # type: ignore[arg-type]


def _condition(rule: Rule) -> str:
    """The predicate without the column's name, so that a rename is no change of its rules."""
    return rule.predicate.replace(f'"{rule.column}"', "{column}") if rule.column else rule.predicate


def _asks_more(old: str, new: str) -> bool | None:
    """Whether the new condition lets fewer values through; None where that is not plain to see."""
    before, after = _BOUND.fullmatch(old), _BOUND.fullmatch(new)
    if before and after and before.group(1, 2) == after.group(1, 2) and bool(before[3]) == bool(after[3]):
        # Moments are written in the order of their digits, so they compare as texts.
        higher = Decimal(after[3]) > Decimal(before[3]) if after[3] else after[4] > before[4]
        return higher if before[2].startswith(">") else not higher
    before, after = _LIST.fullmatch(old), _LIST.fullmatch(new)
    if before and after and before[1] == after[1]:
        was, now = (set(_LITERAL.findall(listed[2])) for listed in (before, after))
        if was < now or now < was:
            return (was < now) == bool(before[1])  # a longer list allows more, or forbids more
    return None


def _table(old: Plan, new: Plan, pairs: Mapping[str, Column]) -> Iterator[Change]:
    names = {name: column.name for name, column in pairs.items()}  # a rename is no change of key or partition
    if old.mode != new.mode:
        yield changes.ModeChanged(old=old.mode, new=new.mode)
    if tuple(names.get(name, name) for name in old.primary_key) != new.primary_key:
        yield changes.KeyChanged(old=old.primary_key, new=new.primary_key)
    before = [(names.get(part.column, part.column), part.transform) for part in old.partition]
    if before != [(part.column, part.transform) for part in new.partition]:
        yield changes.PartitionChanged(old=old.partition, new=new.partition)
    for option, field in (
        ("onDelete", "on_delete"),
        ("sequenceBy", "sequence_by"),
        ("maxRejectShare", "max_reject_share"),
        ("include", "include"),
        ("exclude", "exclude"),
    ):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield changes.OptionChanged(option=option, old=_said(before), new=_said(after))


def _reading(old: Plan, new: Plan) -> Iterator[Change]:
    for field in fields(old.reading):
        before, after = getattr(old.reading, field.name), getattr(new.reading, field.name)
        if before != after:
            words = field.name.split("_")
            option = words[0] + "".join(word.title() for word in words[1:])
            yield changes.ReadingChanged(option=option, old=_said(before), new=_said(after))


def _said(value: object) -> str:
    return "nothing" if value is None else ", ".join(map(repr, value)) if isinstance(value, tuple) else str(value)
