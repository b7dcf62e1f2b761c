"""What the proofs of the whole house share: a visitor with forms, a stack one can kill, a browser."""
