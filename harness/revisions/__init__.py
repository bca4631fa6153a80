"""Two revisions of a user's git repository beside each other, without touching what the user is working on."""
