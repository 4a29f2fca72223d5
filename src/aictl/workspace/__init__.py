"""Where artifacts live: the project folder, its settings, names, store, lineage and journal.

``run`` is the one way in which anything is made: the command line, Python users and tests call it.
"""
