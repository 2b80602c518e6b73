"""The stages of the flow, one use case a file. Clients, settings and clocks come in as parameters."""
