"""What the applications of section 5 gain from completed objects, on stickers."""
