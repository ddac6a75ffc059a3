"""Engines that run the points of a sweep: here, in other processes, on other machines."""
