"""`python -m upcast_authoring` is `upcast`."""

from upcast_authoring.early_signals import quiet_while_loading

with quiet_while_loading():
    from upcast_authoring.cli import main

if __name__ == "__main__":
    main()
