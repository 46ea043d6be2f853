from slugs import slugify


def test_words_are_joined_by_hyphens() -> None:
    assert slugify("The quick, brown fox!") == "the-quick-brown-fox"


def test_accents_are_dropped() -> None:
    assert slugify("Crème brûlée") == "creme-brulee"


def test_nothing_usable_gives_nothing() -> None:
    assert slugify("!?") == ""
