"""The ledger's migrations, run when it is opened. One file each; never change one that has been released."""
