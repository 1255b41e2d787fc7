"""The GPT, losses, masks, scoring, decoding, and the loading of the models people have."""
