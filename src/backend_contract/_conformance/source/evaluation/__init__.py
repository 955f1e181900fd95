"""The values of members, read from the source without running it."""
