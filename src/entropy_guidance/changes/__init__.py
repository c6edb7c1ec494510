"""What a layer does to entropy: weights in, nats out."""
