"""Layer S: a type checker decides, by probes of the targets and by canaries in the same run."""
