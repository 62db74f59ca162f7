"""Archives of a topic: files of Parquet, Avro or JSON lines, brought up by the chain that brings up the topic.

One file becomes one file, in a task of its own: ``sources`` reads it, ``outputs`` writes what becomes of it,
``trial``, ``upcasting`` and ``proof`` are what a task does with it. ``runners`` take tasks to this process, to several
or to Spark. ``planning``, ``running`` and ``verifying`` put tasks together to a plan, a receipt and a verdict. What a
task needs imports no Kafka, no settings and no database: executors have none.
"""
