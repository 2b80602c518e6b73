"""AWS's limits that bind a design, each with its source; and which of them a template breaks. Makes no AWS call.

A limit that an account may raise stands here with its first value.
"""

from __future__ import annotations

NEW_ACCOUNT_MEMORY_MB = 3008  # docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, "reduced ... quotas"
NEW_ACCOUNT_CONCURRENCY = 10
