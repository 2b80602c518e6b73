"""State machine definitions in Amazon States Language (JSONPath), as plain data: no CDK in here."""
