"""Which inputs the guided block reads: hypotheses H9 and H10."""

from replication.training import recorded

SECTIONS = ()  # of params.yaml: it has none of its own

# What every record of its runs has; tests compare with what is trained.
METRICS, HISTORIES = recorded.AUTOENCODER_METRICS, recorded.AUTOENCODER_HISTORIES
