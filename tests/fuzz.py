"""`make fuzz`: an hour of made-up events and models for the native extension, beside the reference and pydantic.

Each part has a seed of its own, which it prints first: `make fuzz SEED=n` begins with that part again.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fused import Trial, try_events
from tests.unit.upcasters.test_validation import judge_like_pydantic
from upcasters.native.extension import engine

EVENTS = 5_000
MODELS = 500


def try_models(models: int, number: int) -> None:
    """So many models that a seed makes, with five events each."""

    @seed(number)
    @settings(
        max_examples=models,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        judge_like_pydantic(data)

    check()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args(arguments)
    first = time.time_ns() % 10**9 if options.seed is None else options.seed
    end = time.monotonic() + options.minutes * 60
    print(f"the path that runs: {engine()}")
    events = models = natively = 0
    for number in itertools.count(first):
        print(f"seed {number}", flush=True)
        trial = Trial(number)
        try_events(trial, EVENTS, number)
        try_models(MODELS, number)
        events, models = events + trial.events, models + MODELS
        natively += trial.seen["events by the native extension"]
        if time.monotonic() >= end:
            break
    print(f"{events:,} events, of which {natively:,} ran natively, and {models:,} models: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
