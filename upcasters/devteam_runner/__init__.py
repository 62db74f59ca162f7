"""The DevTeam Runner's history: ``task_context`` from 1.0 on, as its migration guide gives it.

One module is one step; its golden pairs stand in ``golden/``. Events carry no version of their own: a header
``schema-version`` says it where a producer sends one, else the shape tells.
"""

from upcasters.detection import Always, Detection, FromHeader, FromShape
from upcasters.loading import chain_from_package

chain = chain_from_package(
    __name__,
    detection=Detection(
        event_type=(Always("task_context"),),
        version=(FromHeader("schema-version"), FromShape()),
    ),
)
