"""Routes: builds what a lane works with from the settings, the chains and the brokers' facts."""
