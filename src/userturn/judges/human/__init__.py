"""Labels by people: kept, drawn, compared."""
