"""What speaks to brokers, without one."""
