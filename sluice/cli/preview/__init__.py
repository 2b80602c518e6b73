"""`sluice preview`: what a change in contracts or marts on a branch does to schemas, rows, marts and money. Offline."""
