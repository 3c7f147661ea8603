"""What a made dialogue must pass: one stage, one reason to drop."""
