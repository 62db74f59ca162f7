"""Routes: from what the settings name, through their chains and the brokers' facts, to what a lane works with."""
