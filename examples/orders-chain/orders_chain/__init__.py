"""The history of our orders. One module is one version; golden pairs stand in ``golden/``."""

from upcasters import chain_from_package

chain = chain_from_package(__name__)
