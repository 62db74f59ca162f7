"""Makes the folders under /data that the services write to, and gives each to its owner: `folders.py kafka=1000`."""

import os
import sys
from pathlib import Path

for argument in sys.argv[1:]:
    name, _, owner = argument.partition("=")
    folder = Path("/data", name)
    folder.mkdir(exist_ok=True)
    os.chown(folder, int(owner), int(owner))
