"""The command line: ``backend-contract``."""
