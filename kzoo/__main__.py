"""python -m kzoo COMMAND: the same as the command `kzoo`."""

import sys

from kzoo.cli import main

sys.exit(main())
