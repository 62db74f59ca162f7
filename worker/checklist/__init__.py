"""`upcast checklist`: the migration guide's two lists, each line with its evidence or an honest "not checked".

``evidence`` has the lines. ``report`` maps checks to lines and combines their evidence.
"""
