"""The live view of a run directory: what is on disk, read as it grows, and one page that shows it."""
