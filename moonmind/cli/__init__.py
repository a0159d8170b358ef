"""The terminal: the commands moonmind and speckit."""
