"""What is deprecated, since when, and when it may go."""

from worker.deprecation.registry import DEPRECATED, DeprecatedKind, Deprecation, find

__all__ = ["DEPRECATED", "DeprecatedKind", "Deprecation", "find"]
