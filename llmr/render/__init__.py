"""Values → what a person or a script reads. Foreign text is neutralised here, and only here, before a terminal."""
