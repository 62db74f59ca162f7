"""What of `upcasters.spark` needs no Spark: what a task does with the batches that it is given."""

from __future__ import annotations

import pyarrow as pa

from upcasters.arrow import ArrowUpcaster, Columns
from upcasters.loading import load_chain
from upcasters.policy import Policy
from upcasters.spark import ROWS_AT_ONCE, _Task

CHAIN = "upcasters.devteam_runner:chain"


def test_a_batch_comes_out_in_parts_that_are_together_all_of_it_in_order() -> None:
    chain = load_chain(CHAIN)
    values = [b'{"no": %d}' % number for number in range(2 * ROWS_AT_ONCE + 1)]
    given = [
        pa.record_batch({"value": values}),
        pa.record_batch({"value": values[:3]}),
        pa.record_batch({"value": [b"{}"]}).slice(1),
    ]
    task = _Task(CHAIN, chain.fingerprint, Columns(), Policy(), "")
    made = list(task.function()(given))
    assert [batch.num_rows for batch in made] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 1, 3]
    wanted = ArrowUpcaster(chain.upcaster()).upcast_table(pa.Table.from_batches(given))
    assert pa.Table.from_batches(made).to_pylist() == wanted.to_pylist()
    assert not any(pa.types.is_dictionary(field.type) for field in made[0].schema)
