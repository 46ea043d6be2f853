"""Whether a check was weakened: what the change did to the checks themselves, measured against the base."""
