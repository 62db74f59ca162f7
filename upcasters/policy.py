"""How a route wants its events treated; plain data, checked against the chain when the upcaster is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from upcasters.detection import Detection
from upcasters.event import kind_of
from upcasters.paths import text_of
from upcasters.readers import ReaderName, ValueReader, readers_of
from upcasters.step import version_text

UnknownTypeChoice = Literal["dead-letter", "pass", "skip"]
FutureVersionChoice = Literal["dead-letter", "pass"]
DuplicateKeys = Literal["refuse-opened", "refuse", "last-wins"]
ValidationChoice = Literal["always", "observe", "sampled", "never"]


@dataclass(frozen=True)
class Policy:
    """A route's choices.

    ``target`` pins the version of some types (type -> version); a type that is not named goes to its current one.
    A version may be a number, as in a step.
    ``validate_target`` and ``validate_source``: ``always`` makes dead letters of events that do not fit their model;
    ``observe`` looks at a share of the events, tells what does not fit and lets it go on; ``sampled`` is its old name.
    ``sample_every`` is the distance between two events that are observed: 100 means 1 %.
    ``duplicate_keys``: an event is refused where an object that the chain opens has a key twice (those that nobody
    opens keep both), or wherever one has; or the last one wins where the object is opened.
    ``include_values`` lets error texts carry values of the event.
    ``allow_loss`` lets events go down over steps that cannot be undone wholly: what is gone stays gone.
    ``readers`` run in front of the decoder; None means the chain's own, and an empty list none.
    """

    detection: Detection = field(default_factory=Detection)
    target: Mapping[str, str] = field(default_factory=dict)
    unknown_type: UnknownTypeChoice = "dead-letter"
    future_version: FutureVersionChoice = "dead-letter"
    duplicate_keys: DuplicateKeys = "refuse-opened"
    validate_target: ValidationChoice = "always"
    validate_source: ValidationChoice = "observe"
    sample_every: int = 100
    include_values: bool = False
    allow_loss: bool = False
    readers: Sequence[ReaderName | ValueReader] | None = None

    def __post_init__(self) -> None:
        """Raises TypeError for anything of another type, and StepError for what is no reader; both say what to pass."""
        if not isinstance(self.target, Mapping):
            raise TypeError(f"target is {kind_of(self.target)}: pass a dict of type to version")
        if not isinstance(self.detection, Detection):
            raise TypeError(f"detection is {kind_of(self.detection)}: pass Detection(version=(rule,))")
        for name in ("include_values", "allow_loss"):
            if type(getattr(self, name)) is not bool:
                raise TypeError(f"{name} is {kind_of(getattr(self, name))}: pass True or False")
        if type(self.sample_every) is not int:
            raise TypeError(f"sample_every is {kind_of(self.sample_every)}: pass an int, 1 for every event")
        target = {text_of(event_type): version_text(version) for event_type, version in self.target.items()}
        object.__setattr__(self, "target", target)
        if self.readers is not None:
            object.__setattr__(self, "readers", readers_of(self.readers))
