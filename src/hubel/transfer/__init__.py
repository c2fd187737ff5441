"""Transfer learning: freezing that is checked, frozen layers computed once, and a probe of how deep to freeze."""
