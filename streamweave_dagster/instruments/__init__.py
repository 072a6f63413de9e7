"""What Dagster holds for each instrument: one asset, one sensor, its schedules, its checks."""
