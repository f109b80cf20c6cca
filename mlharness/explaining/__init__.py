"""Why a run is as fast as it is: single queries against the median one, and a verdict in words with its evidence."""
