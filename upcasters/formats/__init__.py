"""How documents are written: by a schema that somebody hands in. What the engine does not know of a format is here.

A format is pure: it reads no file and asks no registry. It takes bytes without a frame and gives such.
"""

from upcasters.formats.port import BARE_JSON, Encoding, Format, Reader, Writer
from upcasters.formats.schema import Reference, Schema, SchemaError, SchemaKind

__all__ = [
    "BARE_JSON",
    "Encoding",
    "Format",
    "Reader",
    "Reference",
    "Schema",
    "SchemaError",
    "SchemaKind",
    "Writer",
]
