"""What the worker is measured against: the same work with other tools, each as short as its documentation allows.

Every one is a program: ``BOOTSTRAP SOURCE DESTINATION GROUP DELIVERY COMPRESSION``. None of them has dead letters,
metrics or checks: they do less than the worker does, so their figures are the least that such a program costs.
"""
