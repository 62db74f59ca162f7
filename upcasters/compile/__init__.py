"""The fast path: a chain's operations and shapes as generated Python functions, built once and readable."""

from upcasters.compile.conditions import ShapeMatcher, compile_shapes, emit_shapes
from upcasters.compile.hops import Compiled, compile_hops, emit_hops, needs_context

__all__ = ["Compiled", "ShapeMatcher", "compile_hops", "compile_shapes", "emit_hops", "emit_shapes", "needs_context"]
