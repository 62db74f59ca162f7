"""Schema registries for tests: Apicurio's, which is real, and a small one in this process for what that cannot do."""
