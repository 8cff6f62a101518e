"""README.md and docs/results.md, rendered from tables of what was measured."""
