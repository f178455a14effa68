"""What was asked once is kept: completions, likelihoods, replies of judges."""
