"""From the points of a sweep on disk to one table, its summary and a report."""
