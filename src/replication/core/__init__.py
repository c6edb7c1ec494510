"""What every room builds on: runs, records, store, sweeps, settings. No experiment is named here."""
