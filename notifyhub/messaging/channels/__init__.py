"""One small class per vendor behind one contract: see `base`."""
