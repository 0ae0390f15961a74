"""What the stage `bench` is made of: what it was asked, the scores that it finds, and the family of its contrasts."""
