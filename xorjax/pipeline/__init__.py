"""The stages from a validated configuration to a result row, each an artifact made once and found again."""
