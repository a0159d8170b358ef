"""What the spec says: text and file listings in, facts out. Pure; imports `moonmind.errors` only."""
