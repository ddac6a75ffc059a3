"""Work that other processes can import."""

import os
import time
from pathlib import Path

from mtl_cli.errors import RunError


class Write:
    """Notes its process in a file; fails if told to."""

    def __init__(self, path, fails="", seconds=0.0):
        self.path, self.fails, self.seconds = Path(path), fails, seconds

    def __call__(self):
        self.path.write_text(str(os.getpid()))
        time.sleep(self.seconds)
        if self.fails:
            raise RunError(self.fails)
