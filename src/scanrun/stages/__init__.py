"""The stages of a run: one public verb each, in the order in which `pipeline` calls them."""
