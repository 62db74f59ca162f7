"""The history of the API's documents, as a chain: one module for each version of the API.

Each request and answer body is an event type, called after its model. The versions are those in the paths, `/v1` and
`/v2`. An older version of the API has no code of its own: its requests are upcast, its answers are downcast.
"""

from upcasters.detection import Detection, FromHeader
from upcasters.loading import chain_from_package

TYPE = "document"
VERSION = "version"

chain = chain_from_package(__name__, detection=Detection((FromHeader(TYPE),), (FromHeader(VERSION),)))
