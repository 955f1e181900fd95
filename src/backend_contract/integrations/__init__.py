"""Optional framework integrations. Each module requires its framework."""
