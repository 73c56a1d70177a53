"""The paper's claims (section 4), measured in the sticker world through the real host."""
