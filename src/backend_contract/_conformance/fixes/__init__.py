"""Fixes: edits of a project's own source, each of them checked before it is written.

``plan`` turns findings into edits, ``rewriting`` applies them to a text, ``fixing`` keeps those
that a check of a copy confirms, and ``writing`` replaces the files.
"""
