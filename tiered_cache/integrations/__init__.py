"""What connects a cache with monitoring systems; each module needs an extra of its own."""
