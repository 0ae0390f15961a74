"""Two columns of scores side by side: the front doors that choose a test by a written rule."""
