"""The parts of `lifecycle`: attempts that can be given up, transitions, and shared blocks."""
