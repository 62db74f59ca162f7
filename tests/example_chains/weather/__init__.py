"""Fifteen years of a weather network, made up: reports of stations, which in the end become one event per sample.

The network speaks CloudEvents, in both modes: ``type`` says the type and the end of ``dataschema`` the version.
The first nine versions are numbers, the later ones dates. A report holds the description of its device, which has
versions of its own; the last step but one tells the kinds of samples apart by giving them types of their own.
"""

from upcasters import Detection, FromCloudEvents, chain_from_package

chain = chain_from_package(
    __name__,
    detection=Detection(
        event_type=(FromCloudEvents("type"),),
        version=(FromCloudEvents("dataschema", r"/v([^/]+)$"),),
    ),
)
