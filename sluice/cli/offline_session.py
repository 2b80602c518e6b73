"""An SDK session of the offline AWS that needs nothing of the process's environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3


class OfflineSession(boto3.Session):
    """A session whose clients all call one endpoint with the credentials of `sluice up`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._endpoint = environment["AWS_ENDPOINT_URL"]
        super().__init__(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment.get("AWS_SESSION_TOKEN"),
            region_name=environment["AWS_REGION"],
        )

    def client(self, service_name: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a client of the offline AWS, unless another endpoint is asked for."""
        if not kwargs.get("endpoint_url"):
            kwargs["endpoint_url"] = self._endpoint
        return super().client(service_name, *args, **kwargs)
