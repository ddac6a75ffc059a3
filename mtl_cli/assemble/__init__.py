"""The parts of a run put together: config, tasks, rows, model, plan, in stages that every recipe shares."""
