"""Tasks: what a model is trained for and judged by, on which data. One a file, in one registry."""
