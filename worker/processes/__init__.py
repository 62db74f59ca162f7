"""Several processes that are one worker to the outside: `--processes N`.

The parent reads no records. It starts children, each an ordinary worker with a share of the partitions, and answers for
all of them on one port: ``family`` keeps them running, ``api`` asks and serves, ``answers`` merges their answers.
``child`` is what a child knows of its parent.
"""
