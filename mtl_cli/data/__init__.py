"""Examples -> StepBatch: encode once, sample tasks, plan forward passes with little padding."""
