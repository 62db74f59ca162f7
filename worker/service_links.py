"""What Kubernetes and Docker tell a container of the services beside it, in variables that look like somebody's."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):\d{1,5}")


def is_service_link(value: str) -> bool:
    """Whether a value is the address of a service: ``tcp://10.96.0.7:8090``."""
    return _ADDRESS.fullmatch(value.strip()) is not None
