"""`python -m gateway.ctl`."""

import sys

from gateway.ctl import main

if __name__ == "__main__":
    sys.exit(main())
