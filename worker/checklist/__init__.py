"""`upcast checklist`: the migration guide's two lists, each line with its evidence or an honest "not checked".

``evidence`` has the lines. ``report`` says which checks give evidence for which of them, and puts that together.
"""
