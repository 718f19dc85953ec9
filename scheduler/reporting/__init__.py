"""Values become what people and programs read: text, JSON, Markdown, SARIF, iCalendar, the page.

`explain` finds the sentence for one schedule; `review` finds what a reviewer should know, `pull_request`
writes the comment, `calendar` the page and the feed. Nothing here decides anything, and only `notify`
sends.

Imports: `times`, `diagnostics`, `wording`, `checkout`, `desired`, `state`, `planning`, `delivery`,
`editing`, `simulation`.
"""
