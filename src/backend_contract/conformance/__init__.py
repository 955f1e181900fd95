"""Whether a class keeps the contract: the machinery behind the ``backend-contract`` command.

Nothing outside this package imports it. What it needs comes with the extra ``check``.
"""
