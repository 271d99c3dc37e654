"""Pure judgement: who is asked, in which order, after how long, and when to stop. No clock, no socket, no file."""
