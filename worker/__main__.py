"""`python -m worker` is `upcast`."""

from worker.cli import main

if __name__ == "__main__":
    main()
