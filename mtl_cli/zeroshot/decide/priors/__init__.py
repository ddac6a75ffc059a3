"""What is known of the labels' shares, as a shift of logits."""
