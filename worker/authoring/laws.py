"""`upcast check --laws`: the laws of a chain, tried on its golden pairs and on made up events."""

from __future__ import annotations

from collections.abc import Iterable

from upcasters import ChainError, load_chain
from upcasters.testing import Law, LawBroken, golden_folder, laws
from worker.authoring.checks import Checked
from worker.errors import WorkerError
from worker.extras import pip_install


def check_laws(names: Iterable[str]) -> list[Checked]:
    """Each chain once. Those that do not load have been reported. Raises ``WorkerError`` without hypothesis."""
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
        problems = tuple(line for law in listed for line in _broken(law))
        checked.append(Checked(f"{len(listed)} laws and golden pairs", name, chain.fingerprint, problems))
    return checked


def _broken(law: Law) -> list[str]:
    try:
        law.check()
    except LawBroken as error:
        return str(error).splitlines()
    return []
