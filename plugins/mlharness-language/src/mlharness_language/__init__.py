"""Text for mlharness: tokenising steps, data sets and metrics, BERT for SQuAD, and a trained sentence encoder."""
