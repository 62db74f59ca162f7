"""Several processes that are one worker to the outside: `--processes N`.

A parent reads nothing. It starts children, each of which is an ordinary worker with a share of the partitions, and
answers for all of them on the one port: ``family`` keeps them running, ``api`` asks and serves, ``answers`` merges.
``child`` is the other side: what a process knows of being one of several.
"""
