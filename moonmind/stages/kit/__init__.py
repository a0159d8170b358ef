"""What several stages use: the plan, patches, secrets, texts of others."""
