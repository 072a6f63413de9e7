"""The guided tour: a real system with simulated instruments, played from end to end, with every expectation checked."""
