"""How likely a label is for a text: what all engines are made of."""
