"""Threads that share a machine with other programs."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SPINS = 1000
"""Looks at a lock before an OpenMP thread sleeps. libgomp's own 300,000 last milliseconds, in which a core that another program could
use is lost; these last as long as the gap between two operators of a step, so that one run alone loses nothing."""
_USERS_OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def limit_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let idle OpenMP threads sleep soon, unless the user has a say on it; before torch is imported, which reads it once."""
    if not any(name in environment for name in _USERS_OWN):
        environment["GOMP_SPINCOUNT"] = str(SPINS)
