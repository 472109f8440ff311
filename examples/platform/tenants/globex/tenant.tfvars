retention_days = 365 # by contract
