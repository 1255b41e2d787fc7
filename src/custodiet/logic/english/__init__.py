"""Controlled English: every formula has sentences, every sentence has one formula."""
