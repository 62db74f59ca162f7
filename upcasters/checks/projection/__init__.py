"""Operations followed over shapes instead of documents: what a step makes of every event of a model at once.

One function per operation class, in a module named like the operation's. Each changes the shape as its operation
changes a document, and reports what would fail; an operation that has none leaves what it writes untold.
"""

from upcasters.checks.projection import events, fields, lists, nesting, objects, presence, scopes, texts, values
from upcasters.checks.projection.dispatch import follow

__all__ = ["events", "fields", "follow", "lists", "nesting", "objects", "presence", "scopes", "texts", "values"]
