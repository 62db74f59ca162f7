"""All that speaks to brokers: clients as a correct worker needs them, what they fetch, and why they cannot connect.

Whoever comes in is told of a wrong version of aiokafka first: what stands behind this line may not even load with it.
"""

from worker.kafka.aiokafka_internals.versions import refuse_other_versions

refuse_other_versions()
