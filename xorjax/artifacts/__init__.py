"""Artifacts: what is made once, under a name that hashes what determines it, by whichever process, killed or not."""
