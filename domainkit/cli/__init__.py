"""The ``domainkit`` command: one file per verb, each over library functions.

``main`` starts it; a verb's file is imported when the verb is called, and heavy libraries when the
verb needs them, so that ``domainkit list`` answers at once.
"""
