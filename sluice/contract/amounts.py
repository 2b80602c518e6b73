"""Texts that people mean as values: amounts with a currency, percents, durations. What a draft says of them.

They are no exact values of a type, so a draft keeps the text and names the derived column that would compute them.
"""

from __future__ import annotations

from collections.abc import Mapping

# In the notation of RE2: a minus sign that is no hyphen, blanks that do not break, an apostrophe.
_SIGN = r"[+\x{2212}-]"
_CODES = (
    "EUR|USD|GBP|CHF|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|TRY|RUB|UAH|JPY|CNY|HKD|SGD|INR|KRW|CAD|AUD|NZD|BRL|MXN|ZAR"
)
_MONEY = rf"[$\x{{20ac}}\x{{a3}}\x{{a5}}]|{_CODES}|kr|z\x{{142}}|Fr\.?|R\$|US\$"
_DIGITS = r"[0-9]+([., '\x{a0}\x{202f}\x{2019}][0-9]+)*"

# Regular expressions of whole cells, by name. The first that nearly all cells match is told.
LOOKS: Mapping[str, str] = {
    "percent": rf"{_SIGN}?{_DIGITS} ?%",
    "plain amount": rf"{_SIGN}?{_DIGITS}",  # beside the others, so that a column of both is one of amounts
    "amount": rf"(\({_DIGITS}\)|{_SIGN}? ?({_MONEY})? ?{_SIGN}?{_DIGITS}-?|\(({_MONEY}) ?{_DIGITS}\)"
    rf"|{_SIGN}?{_DIGITS}-? ?({_MONEY})|\({_DIGITS} ?({_MONEY})\))",
    "comma amount": r".*,[0-9]{1,2}[^0-9]*",  # the decimal sign of an amount
    "point amount": r".*[.][0-9]{1,2}[^0-9]*",
    "duration": r"([0-9]+ days?, )?[0-9]{1,4}:[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?",
    "iso duration": r"-?P([0-9.]+[YMWD])*(T([0-9.]+[HMS])+)?",
}


def remark_on_text(name: str, looks: Mapping[str, int], filled: int, most: int) -> tuple[str, ...]:
    """What to say of a column of texts. `looks` counts the cells that match each of LOOKS."""
    least = filled - most
    if looks.get("percent", 0) >= least:
        sign = _decimal_sign(looks)
        sql = f"CAST({_plain(name, sign)} AS DECIMAL(18,6)) * {_negative(name)} / 100"
        return (
            "percents as text. As numbers, a property of its own:",
            *_derived(f"{name}_share", "decimal(18,6)", sql),
        )
    amounts = looks.get("amount", 0)
    if amounts >= least and looks.get("plain amount", 0) < amounts:
        sql = f"CAST({_plain(name, _decimal_sign(looks))} AS DECIMAL(18,2)) * {_negative(name)}"
        words = "amounts with a currency, or negative ones in brackets or with the sign behind, as text."
        return (f"{words} As numbers, a property of its own:", *_derived(f"{name}_amount", "decimal(18,2)", sql))
    if looks.get("duration", 0) >= least:
        return ("durations as text: a time ends at 23:59:59.999999, so longer ones are no times",)
    if looks.get("iso duration", 0) >= least:
        return ("durations as ISO 8601 has them, as text",)
    return ()


def _decimal_sign(looks: Mapping[str, int]) -> str:
    return "," if looks.get("comma amount", 0) > looks.get("point amount", 0) else "."


def _plain(name: str, sign: str) -> str:
    digits = f"regexp_replace({name}, '[^0-9{sign}]', '', 'g')"
    return digits if sign == "." else f"replace({digits}, ',', '.')"


def _negative(name: str) -> str:
    return f"CASE WHEN regexp_matches({name}, '[(\\\\x{{2212}}-]') THEN -1 ELSE 1 END"


def _derived(name: str, kind: str, sql: str) -> tuple[str, ...]:
    return (
        f"- name: {name}",
        "  logicalType: number",
        f"  physicalType: {kind}",
        f'  transformLogic: "{sql}"',
    )
