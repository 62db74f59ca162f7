"""The orders of the story: old ones of every kind, one in a hundred bad, and good ones that come in meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.kafka import Record

PARTITIONS = 4
FIRST = 1_672_531_200_000  # 2023-01-01
BETWEEN_MS = 250_000
CUSTOMERS = 977

CUT_OFF = frozenset({17, 418, 819})
WITH_COMMA = frozenset({50, 150, 250, 350, 550, 650, 750})
"""Of a thousand."""


def order(number: int) -> Record:
    """Every 25th is a tombstone, every tenth is new already."""
    customer = number * 31 % CUSTOMERS
    amount = f"{number % 900}.{number % 100:02}"
    place = number % 1000
    value: bytes | None = b'{"custId": %d, "amount": "%s", "note": "n%d"}' % (customer, amount.encode(), number)
    if place in CUT_OFF:
        value = b'{"custId": %d, "amo' % customer
    elif place in WITH_COMMA:
        value = b'{"custId": %d, "amount": "%s"}' % (customer, amount.replace(".", ",").encode())
    elif number % 25 == 3:
        value = None
    elif number % 10 == 1:
        value = b'{"customer_id": %d, "total": %s}' % (customer, amount.lstrip("0").encode())
    return _record(number, value)


def good(number: int) -> Record:
    """What producers write while the worker runs."""
    return _record(number, b'{"custId": %d, "amount": "%d.50"}' % (number % CUSTOMERS, number % 900))


def _record(number: int, value: bytes | None) -> Record:
    key, headers = b"customer-%d" % (number * 31 % CUSTOMERS), [("number", b"%d" % number)]
    return Record(key, value, headers, FIRST + number * BETWEEN_MS, number % PARTITIONS)


def number_of(record: Record) -> int:
    return int(dict(record.headers)["number"])


@dataclass
class Fates:
    """What must have become of the orders, by number, and what has not."""

    old: int
    all: int
    wrong: list[str] = field(default_factory=list)

    def check(self, outputs: Iterable[Record], letters: Iterable[Record]) -> list[str]:
        """Every order once: in the destination, or cut off and among the letters. Those with a comma in both."""
        written, buried = list(outputs), Counter(map(number_of, letters))
        found = Counter(map(number_of, written))
        comma = {each for each in range(self.old) if each % 1000 in WITH_COMMA}
        cut = {each for each in range(self.old) if each % 1000 in CUT_OFF}
        self._expect("written", found, set(range(self.all)) - cut)
        self._expect("buried", buried, comma | cut)
        for partition in range(PARTITIONS):
            here = [number_of(each) for each in written if each.partition == partition]
            for name, numbers in (
                ("live or replayed", [each for each in here if each not in comma]),
                ("redriven", [each for each in here if each in comma]),
            ):
                if numbers != sorted(numbers):
                    self.wrong.append(f"partition {partition}: {name} records are out of order")
                if any(each % PARTITIONS != partition for each in numbers):
                    self.wrong.append(f"partition {partition}: holds records of another one")
        return self.wrong

    def _expect(self, what: str, found: Counter[int], wanted: set[int]) -> None:
        lost, foreign = wanted - found.keys(), found.keys() - wanted
        doubled = [each for each, count in found.items() if count > 1]
        for name, numbers in (("lost", lost), ("not meant", foreign), ("doubled", doubled)):
            if numbers:
                self.wrong.append(f"{what}: {len(numbers)} {name}, such as {sorted(numbers)[:5]}")
