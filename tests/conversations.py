"""Four conversations, each on a subject of its own: query, answer, follow-up."""

CONVERSATIONS = {
    "0": (
        "How do I keep basil alive on a balcony?",
        "Give it six hours of sun, water it when the soil is dry, and pinch off the flowers.",
        "How often should I pinch off the flowers?",
    ),
    "1": (
        "Who wrote Middlemarch?",
        "George Eliot, the pen name of Mary Ann Evans, wrote Middlemarch in 1871.",
        "Why did Mary Ann Evans take a pen name?",
    ),
    "2": (
        "What does HTTP status 418 mean?",
        "It says that the server is a teapot; it began as an April Fools' joke in 1998.",
        "Does any real server send the teapot joke?",
    ),
    "3": (
        "Name a planet with rings.",
        "Saturn has the brightest rings, made of ice and dust.",
        "How thick are rings made of ice?",
    ),
}
