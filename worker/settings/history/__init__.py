"""The history of the configuration's format, as a chain: one module for each format, oldest first.

A file says its format in `version`; one that does not may hold names of any of them. So every operation passes over
what is not there, and a name of an older format is never used again with another meaning.
"""

from upcasters.detection import Always, Detection, FromHeader
from upcasters.loading import chain_from_package

CONFIG = "config"
VERSION = "version"

chain = chain_from_package(__name__, detection=Detection((Always(CONFIG),), (FromHeader(VERSION), Always("1"))))
