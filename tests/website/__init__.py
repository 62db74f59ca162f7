"""The site over docs/."""
