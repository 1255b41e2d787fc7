"""The studies: thin callers of the rooms below, and the embedded default job of `custodiet audit`."""
