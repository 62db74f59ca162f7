"""The fast path: a chain's operations and shapes as generated Python functions, built once and readable."""

from upcasters.compile.conditions import ShapeMatcher, compile_shapes
from upcasters.compile.hops import Compiled, Fused, compile_hops

__all__ = ["Compiled", "Fused", "ShapeMatcher", "compile_hops", "compile_shapes"]
