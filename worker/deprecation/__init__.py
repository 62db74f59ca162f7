"""What is deprecated, since when, and when it may go."""

from upcast_authoring.deprecation.policy import DeprecatedKind, Deprecation
from worker.deprecation.registry import DEPRECATED, find

__all__ = ["DEPRECATED", "DeprecatedKind", "Deprecation", "find"]
