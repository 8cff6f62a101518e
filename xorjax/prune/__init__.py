"""Iterative magnitude pruning: schedules, the trajectory of levels, masks."""
