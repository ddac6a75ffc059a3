"""Several runs and what they say together: series, baselines, sweeps, searches, transfer, affinity."""
