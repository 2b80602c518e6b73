"""What the process of an offline AWS does when another one of this user asks it: requests below one path.

They are no AWS calls: no permission is asked, and the token is enough. It is in a file that only the
user can read.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

PATH: Final = "/_sluice/"
HEADER: Final = "X-Sluice-Token"

Action = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Control:
    """A WSGI application for actions by name; each takes a JSON object and answers one.

    Args:
        token: That callers must show.
        actions: What is done for the last part of the path.
    """

    def __init__(self, token: str, actions: Mapping[str, Action]) -> None:
        self._token, self._actions = token, actions

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        shown = str(environ.get("HTTP_" + HEADER.upper().replace("-", "_"), ""))
        action = self._actions.get(environ["PATH_INFO"].removeprefix(PATH))
        if not hmac.compare_digest(shown.encode(), self._token.encode()):
            status, answer = "403 Forbidden", {"error": "this is not for you"}
        elif environ["REQUEST_METHOD"] != "POST" or action is None:
            status, answer = "404 Not Found", {"error": "there is no such action"}
        else:
            status, answer = "200 OK", dict(action(json.loads(body)))
        text = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]
