"""The paper's theory by experiment: section 3, Figure 2, claim C1."""
