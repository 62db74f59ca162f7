"""Everything that talks to brokers: clients with the options that a correct worker needs, what they fetch, and why they
cannot connect.
"""

from worker.kafka.aiokafka_internals.versions import refuse_other_versions

refuse_other_versions()
