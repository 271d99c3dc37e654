"""Markdown on a terminal while it streams, without ever drawing a finished line again.

      text ─▶ blocks.Splitter ─▶ finished blocks ─▶ draw.Drawer ─▶ lines ─┐
                    └──────────▶ the open block ─▶ rows.tail_rows ────────┴▶ screen.Screen ─▶ terminal

The splitter is pure and knows no terminal but its width in characters: however the text is cut into chunks, the same blocks
come out. The drawer is the only part that needs Rich and is imported with the first finished block, so it never stands before
the first token. The screen knows rows and nothing of Markdown. Re-rendering the whole answer for each token, as is common,
costs time that grows with the square of its length and tears everything that the reader has selected.
"""
