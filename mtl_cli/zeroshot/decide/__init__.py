"""From scores to an answer: priors, calibration, thresholds."""
