nodes        = 1
web_replicas = 1
