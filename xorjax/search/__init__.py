"""Search instead of a grid: Optuna proposes points, wanted are few bits and a good validation metric."""
