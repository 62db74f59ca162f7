"""`python -m worker` is `upcast` with the worker's commands."""

from upcast_authoring.early_signals import quiet_while_loading

with quiet_while_loading():
    from worker.cli import main

if __name__ == "__main__":
    main()
