"""The site over docs/."""

SMALL = """[project]
site_name = "small"
docs_dir = "source"
site_dir = "html"

[project.theme]
custom_dir = "{root}/website/theme"
font = false
"""
"""Settings of a site of a page or two, with our theme."""
