"""Keeps out of a process what pyarrow would load into it and nobody here needs."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

import pyarrow as pa


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        del path, target
        if fullname == "pandas":
            raise ImportError(fullname)


def leave_pandas_out() -> None:
    """pyarrow asks for pandas once, as soon as it is given a list, and where it is installed that takes 60 MB."""
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
