"""A run's configuration: its shape, its rules, its identity, and how Hydra gives it to us."""
