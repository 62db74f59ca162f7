"""Tools for the author of a chain: files of a new step, events upcast hop by hop, checks and laws."""
