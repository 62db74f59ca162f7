"""The only package that uses private names of aiokafka; everything else uses its public interface. ``private_names``
lists them, ``patches`` lists what is changed, ``versions`` the versions of aiokafka that this was tested with; others
are refused.
"""
