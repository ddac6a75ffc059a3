"""`mtl zeroshot`, from what is asked to what is answered."""
