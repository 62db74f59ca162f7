"""Takes the engine's packages from the root of the repository; in a source distribution they stand beside this file."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.sdist import sdist

ABOVE = "../"
ROOT = "." if Path("upcasters").is_dir() else ABOVE.rstrip("/")


class SourceDistribution(sdist):
    """Puts what stands above this folder into it."""

    def make_release_tree(self, base_dir, files):
        """Lay the files out that go into the archive."""
        super().make_release_tree(base_dir, [file for file in files if not file.startswith(ABOVE)])
        for file in files:
            if file.startswith(ABOVE):
                target = Path(base_dir) / file.removeprefix(ABOVE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


setup(
    package_dir={"": ROOT},
    packages=find_packages(ROOT, include=["upcasters", "upcasters.*", "upcast_authoring", "upcast_authoring.*"]),
    # pytest's door: outside the packages, so that it imports nothing of them.
    py_modules=["upcast_pytest"],
    cmdclass={"sdist": SourceDistribution},
)
