"""How many bits a parameter holds: models trained on random tokens, which hold nothing that could be generalized."""
