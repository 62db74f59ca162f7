"""`upcast check --laws`: the laws of a chain, tried on its golden pairs and on made up events."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from upcasters import ChainError, load_chain
from upcasters.testing import Law, LawBroken, golden_folder, laws
from worker.authoring.checks import Checked
from worker.errors import WorkerError
from worker.extras import pip_install


def check_laws(names: Iterable[str], tell: Callable[[str], None]) -> list[Checked]:
    """Each chain once. Those that do not load have been reported. Raises ``WorkerError`` without hypothesis.

    ``tell`` gets a line for each law when it ends.
    """
    checked = []
    for name in dict.fromkeys(names):
        try:
            chain = load_chain(name)
        except ChainError:
            continue
        try:
            listed = laws(chain, golden=golden_folder(name, chain))
        except ImportError as error:
            raise WorkerError(f"--laws needs {error.name}: {pip_install('testing')}") from error
        broken = [lines for law in listed if (lines := _tried(law, tell))]
        subject = f"{len(listed)} laws tried, {len(broken)} wrong"
        checked.append(Checked(subject, name, chain.fingerprint, tuple(line for lines in broken for line in lines)))
    return checked


def _tried(law: Law, tell: Callable[[str], None]) -> list[str]:
    """What is wrong, in lines; none where the law holds."""
    try:
        events = law.check()
    except LawBroken as error:
        tell(f"wrong: {law.id}")
        return str(error).splitlines()
    tell(f"ok: {law.id}, {events} event{'' if events == 1 else 's'} got through")
    return []
