"""What a replay notes down, and where it goes on."""
