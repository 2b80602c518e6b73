"""What is known of loads, runs and leases, kept in one DynamoDB table."""
