"""Apply: judge the change, tick boxes, make the commit."""
