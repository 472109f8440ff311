nodes        = 3
web_replicas = 3
