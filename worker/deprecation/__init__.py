"""What is deprecated, since when, and when it may go."""

from worker.deprecation.registry import DEPRECATED, Deprecation, Kind, find

__all__ = ["DEPRECATED", "Deprecation", "Kind", "find"]
