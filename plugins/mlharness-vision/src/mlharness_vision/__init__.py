"""Image steps, the data-set kind ``images``, and two small trained image models for mlharness."""
