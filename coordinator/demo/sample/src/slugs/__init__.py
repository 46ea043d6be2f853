"""Make readable identifiers for addresses out of titles."""

import re
import unicodedata

_SEPARATORS = re.compile(r"[^a-z0-9]+")


def slugify(text: str) -> str:
    """Return the text in lower-case ASCII words joined by hyphens."""
    decomposed = unicodedata.normalize("NFKD", text)
    ascii_text = decomposed.encode("ascii", "ignore").decode("ascii")
    return _SEPARATORS.sub("-", ascii_text.lower()).strip("-")
