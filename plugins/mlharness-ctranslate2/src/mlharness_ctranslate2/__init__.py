"""CTranslate2 as a framework of mlharness, for Whisper's models."""
