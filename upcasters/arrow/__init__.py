"""Arrow record batches through a chain: for Spark, Ray Data, Daft, DuckDB and plain pyarrow. Needs the extra ``arrow``.

``docs/archives.md`` is the guide.
"""

from upcasters.arrow.batches import ArrowUpcaster
from upcasters.arrow.columns import Columns

__all__ = ["ArrowUpcaster", "Columns"]
