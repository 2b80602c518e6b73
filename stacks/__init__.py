"""The infrastructure, one file a domain. Constructs wire; they neither compute nor call AWS."""
