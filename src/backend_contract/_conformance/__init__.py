"""Whether a class keeps the contract. Private: `testing` and the command are its public faces.

The core never imports it. The layer S checks need the extra ``check``.
"""
