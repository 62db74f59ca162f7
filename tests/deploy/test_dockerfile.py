"""The Dockerfile, as far as it can be judged without building it."""

from __future__ import annotations

import re
import sys

from tests.deploy import DEPLOY, ROOT
from tests.deploy.tools import from_python, run

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def test_hadolint_has_nothing_to_say() -> None:
    run([from_python("hadolint"), str(DEPLOY / "Dockerfile")], ROOT)


def test_all_that_is_copied_is_sent_to_the_builder() -> None:
    """`.dockerignore` lets nothing through but what it names."""
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    sent = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert sources == sent
    assert all((ROOT / source).exists() for source in sources)


def test_composes_producer_takes_what_the_demo_offers() -> None:
    assert "--poison" in run([sys.executable, str(DEPLOY / "compose" / "producer.py"), "--help"], ROOT)
