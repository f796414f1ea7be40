"""Who asks, and what they may: operators' tokens and OpenID Connect, customers' tokens."""
