"""The log of a stage: one JSON object a line, fields and never row values.

Names that strangers choose, object keys above all, do appear. They cannot end a line, colour a terminal or turn the
text beside them around, because nothing leaves but printable ASCII.
"""

from __future__ import annotations

import json
from functools import partial

from aws_lambda_powertools import Logger

# powertools' own serializer leaves letters of every alphabet as they are, and with them U+202E and its like.
_ascii = partial(json.dumps, default=str, separators=(",", ":"), ensure_ascii=True)


def stage_logger() -> Logger:
    """Make the logger of an entry point. Which stage it is stands in the function's environment."""
    return Logger(json_serializer=_ascii)
