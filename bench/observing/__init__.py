"""What metrics and traces cost: two stacks under the same loads, in turn."""
