"""Eviction policies: which entry leaves a full tier. The modules with an underscore are shared parts."""
