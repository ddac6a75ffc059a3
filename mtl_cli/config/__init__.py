"""What a run is asked to be: Hydra composes, `convert` checks, `schema` holds. Imports no torch."""
