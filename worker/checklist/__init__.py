"""`upcast checklist`: the migration guide's two lists, each line with its evidence or an honest "not checked".

``items`` are the lines. ``registry`` says which checks give evidence for which of them: another part of the project
adds its own there. ``report`` puts the evidence together.
"""
