"""Evaluation of source without running it: branches, bindings and values."""
