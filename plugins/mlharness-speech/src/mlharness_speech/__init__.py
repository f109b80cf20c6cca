"""Speech for mlharness: steps, data sets and the metric of speech recognition."""
