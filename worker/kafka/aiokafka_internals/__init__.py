"""The wall before aiokafka: the one place that touches its private names.

Everything else uses its public interface. ``private_names`` lists what is touched, ``patches`` what is changed, and for
which errors; ``versions`` says with which aiokafka all of it was tried. Another one is refused.
"""
