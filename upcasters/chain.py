"""The chain that authors write: all steps of all types, checked when it is made, and the upcaster that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from upcasters.checks import detection_problems, model_problems, reader_problems, structure_problems
from upcasters.detection import Detection
from upcasters.errors import ChainError
from upcasters.outcome import Violation
from upcasters.policy import Policy
from upcasters.readers import ReaderName, ValueReader
from upcasters.step import Baseline, Step, VersionLike
from upcasters.upcaster import Upcaster
from upcasters.version_graph import VersionGraph


class Chain(VersionGraph):
    """Steps and baselines of any number of types; wrong ones are refused when it is made (ChainError lists all).

    ``current`` pins a type's current version; without it, the last one before the first preview step.
    ``detection`` says how the type and version of an event are told where a route does not say.
    ``readers`` make JSON of values that are nearly JSON, in their order, in front of all that.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        baselines: Iterable[Baseline] = (),
        *,
        current: Mapping[str, VersionLike] | None = None,
        detection: Detection | None = None,
        name: str = "",
        readers: Sequence[ReaderName | ValueReader] = (),
    ) -> None:
        super().__init__(steps, baselines, current=current, detection=detection, name=name, readers=readers)
        problems = [*structure_problems(self), *reader_problems(self.readers)]
        if problems:
            raise ChainError(problems)

    def upcaster(self, policy: Policy | None = None, observe: Callable[[Violation], None] | None = None) -> Upcaster:
        """The pure core for a route: bytes in, outcome out. Raises ChainError where the policy does not fit.

        ``observe`` is told of events that do not fit their model where the policy only observes that.
        """
        return Upcaster(self, policy or Policy(), observe)

    def check(self, detection: Detection | None = None) -> None:
        """Raise ChainError, which lists all, where ``upcast check`` would refuse the chain: for a test of one's own.

        Beside what a chain is refused for when it is made, these are steps that do not lead from one version's model
        to the next one's, and rules that cannot tell its versions. ``detection`` has a route's rules, where it has its
        own; of rules that neither gives nothing is said.
        """
        rules = (detection or Detection()).or_those_of(self.detection)
        problems = [*model_problems(self, rules), *detection_problems(self, rules)]
        if problems:
            raise ChainError(problems)
