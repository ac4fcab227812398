"""The models, one page each. `kzoo.registry` finds them; nothing needs importing here."""
