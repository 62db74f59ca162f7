"""docs/upgrade-day.md, done: its commands on a real broker, with kills and writing producers, and an account of it all.

``page`` is the page as commands and what they print, ``history`` the events, ``story`` what happens beside the
commands.
``python -m tests.upgrade_day`` does it with 200,000 events; ``--write`` puts what is printed into the page.
"""
