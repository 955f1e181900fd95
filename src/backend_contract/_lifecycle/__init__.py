"""What `lifecycle` is made of: attempts that can be given up, transitions, and shared blocks."""
