"""What sample files hold, counted: for drafts of contracts. Judging the counts is `sluice.contract.infer`."""
