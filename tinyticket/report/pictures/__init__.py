"""The pictures of a result and of what is made of it, each a Matplotlib figure; `report/plot.py` knows them by name."""
