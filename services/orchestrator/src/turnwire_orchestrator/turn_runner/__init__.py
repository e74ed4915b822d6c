"""One owner's work on one turn: the loop, the fence, the sample, the way out."""
